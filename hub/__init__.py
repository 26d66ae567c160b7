"""The edge: the one port of Beacon; guards, routes, and streams live events."""
