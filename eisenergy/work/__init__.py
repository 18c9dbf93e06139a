"""What goes on behind the pages: jobs that a worker takes from the queue, on time or when somebody asks."""
