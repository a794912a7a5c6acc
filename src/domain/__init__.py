"""Domain: the rules of after-school learning, pure. Read `events`, then `user`, then `practice`."""
