//! IPv4 and IPv6 packets, their fragments, and tunnels of IP in IP.
