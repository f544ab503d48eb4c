"""Small substitutes for the programs that no package registry serves to a bare machine."""
