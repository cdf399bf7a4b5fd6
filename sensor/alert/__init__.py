"""What becomes of a finding: policy makes it an alert or not, sinks carry it away."""
