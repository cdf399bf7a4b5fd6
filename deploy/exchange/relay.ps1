# Exchange Server 2016, 2019 or SE: outbound mail through `mailsensor relay`, whose next hop is the smarthost or the MTA
# that has carried it so far. Run in the Exchange Management Shell. Written from Microsoft's documentation; not tried here.
# docs/relay.md tells what the relay does to mail, and what Exchange hears when something breaks.

$relay = "192.0.2.10"                      # where `mailsensor relay` listens (relay.listen), as Exchange reaches it
$port = 25
$servers = "MBX01", "MBX02"                # the servers that send to it

# In place of the connector that carries mail out now: note its settings, then disable it (Set-SendConnector -Enabled $false).
# Forwards leave by this way, so this is where they show. RequireTLS $true if relay.tls is "may" or "require".
New-SendConnector -Name "Through Mailflow Sensor" -Usage Internet -AddressSpaces "SMTP:*;1" -DNSRoutingEnabled $false `
    -SmartHosts $relay -SmartHostAuthMechanism None -Port $port -SourceTransportServers $servers -RequireTLS $false

# While the relay does not answer, mail waits in Exchange's queue. A second smarthost in the list above would be used by
# turns, also while all is well: that mail passes unseen.
