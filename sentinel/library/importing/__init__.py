"""Other programs' configurations, turned into documents of ours; what cannot be carried over is said."""
