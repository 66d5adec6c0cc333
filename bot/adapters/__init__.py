"""The outsides: each package implements ports and ignores its siblings."""
