"""What a trainer in Python needs to run beside the control plane esper.

``esper_plane.signal`` reads the emergency signal, ``esper_plane.blend`` mixes a seed
into its host. Standard library only.
"""
