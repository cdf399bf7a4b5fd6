"""Mail that a Postfix or Sendmail shows us while it takes it: the milter protocol, its sessions and its server."""
