"""The demo: the main job on real parts, told in numbered steps through the usual commands."""
