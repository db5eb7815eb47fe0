"""What a trainer in Python needs to run beside the control plane esper.

``esper_plane.signal`` reads the emergency signal. Standard library only.
"""
