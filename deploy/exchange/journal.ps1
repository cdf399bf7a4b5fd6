# Exchange Server 2016, 2019 or SE: a journal report of each mail to `mailsensor journal`. Run in the Exchange Management Shell.
# Written from Microsoft's documentation; not tried here. docs/journal.md tells what the reports show.

$sensor = "sensor.internal"                # a domain that exists for the sensor alone
$host_name = "sensor.corp.example"         # where `mailsensor journal` listens, on port 25 or as below
$port = 25
$servers = "MBX01", "MBX02"                # the servers that send to it

# The journal's address has to be a recipient: a mail contact. Hidden, so that nobody writes to it by mistake.
New-MailContact -Name "Mailflow Sensor Journal" -ExternalEmailAddress "journal@$sensor"
Set-MailContact "Mailflow Sensor Journal" -HiddenFromAddressListsEnabled $true -RequireSenderAuthenticationEnabled $true

# Mail to that domain goes straight to the sensor. TLS, if journal.tls is "may" or "require": RequireTLS $true.
New-SendConnector -Name "To Mailflow Sensor" -Custom -AddressSpaces "SMTP:$sensor;1" -DNSRoutingEnabled $false `
    -SmartHosts $host_name -SmartHostAuthMechanism None -Port $port -SourceTransportServers $servers -RequireTLS $false

# Everything: inside, in and out. A narrower scope leaves forwards unseen.
New-JournalRule -Name "Mailflow Sensor" -Scope Global -JournalEmailAddress "journal@$sensor" -Enabled $true

# Rich text would be wrapped in TNEF, which the sensor can't read.
New-RemoteDomain -Name "Mailflow Sensor" -DomainName $sensor
Set-RemoteDomain "Mailflow Sensor" -TNEFEnabled $false -AutoForwardEnabled $false -DeliveryReportEnabled $false
