# Microsoft 365: a journal report of each mail to `mailsensor journal`. Run after Connect-ExchangeOnline.
# Written from Microsoft's documentation; not tried here. docs/journal.md tells what the reports show.

$sensor = "journal.corp.example"           # a domain of yours, not an accepted domain of the tenant
$host_name = "sensor.corp.example"         # reached from the Internet on port 25, with a certificate of that name
$undeliverable = "journal-ndr@corp.example" # who gets reports that could not be delivered; that mailbox is not journaled

# Reports can't be journaled to a mailbox in the tenant, and one that can't be delivered must go somewhere.
Set-TransportConfig -JournalingReportNdrTo $undeliverable

# TLS with a certificate of that name: set journal.tls = "require".
New-OutboundConnector -Name "To Mailflow Sensor" -ConnectorType OnPremises -RecipientDomains $sensor -UseMXRecord $false `
    -SmartHosts $host_name -TlsSettings DomainValidation -TlsDomain $host_name

# Rich text would be wrapped in TNEF, which the sensor can't read.
New-RemoteDomain -Name "Mailflow Sensor" -DomainName $sensor
Set-RemoteDomain "Mailflow Sensor" -TNEFEnabled $false

New-JournalRule -Name "Mailflow Sensor" -Scope Global -JournalEmailAddress "journal@$sensor" -Enabled $true
