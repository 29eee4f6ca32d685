"""Labeled volumes laid over other images, and their labels carried along.

SimpleITK does the registration; it is an extra: `pip install 'samssl[registration]'`.
"""
