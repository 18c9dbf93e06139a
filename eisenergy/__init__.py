"""eisenergy: from meter downloads to bills people trust."""
