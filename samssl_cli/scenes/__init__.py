"""Procedural volumes: random anatomy, random appearance, and the mistakes a specialist would make.

`scout` is trained on nothing else. A scene has no likeness to any one organ; what it teaches is
what a border looks like, and that a prompt is only roughly right.
"""
