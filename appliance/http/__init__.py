"""Floor 3: HTTP on the wire; above this package nobody asks which version a peer speaks."""
