"""Labeled volumes laid over other images, and their labels carried along.

SimpleITK does the registration.
"""
