"""How long things take, beside the peers and the floor. Ratios are compared, in one run; no test asserts a time."""
