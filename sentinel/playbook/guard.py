"""Bounds on what runs may do to the world, as a fold over ``guard/PLAYBOOK/VALUES``."""
