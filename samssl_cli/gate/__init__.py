"""What a generalist's answers are worth, learned on the labeled cases: see docs/gate.md.

Arrays in, arrays out. Nothing here can open an artifact or name a held-out mask.
"""
