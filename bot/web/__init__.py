"""HTTP: health for machines, a page for people. Knows nothing of databases or exchanges."""
