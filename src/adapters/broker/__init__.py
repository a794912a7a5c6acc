"""Broker: RabbitMQ carries events to projectors and other services; it is never trusted for order or completeness."""
