"""What programs ask for, below ``/v1``."""
