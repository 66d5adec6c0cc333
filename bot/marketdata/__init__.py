"""Books, their trust, the quotes they give, and which markets are watched."""
