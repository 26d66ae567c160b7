"""Demo agents: real agent loops with simulated tools, on a real model or on a recorded one."""
