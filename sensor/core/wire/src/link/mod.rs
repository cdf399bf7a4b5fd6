//! Link layers and tunnels: one file per encapsulation, one table that says by key what comes next.
