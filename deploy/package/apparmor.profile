# Installed by the package checkstack-satellite: changed there, and removed with it. An own version
# stays if this line is removed.
abi <abi/4.0>,
include <tunables/global>

# Nothing is confined here, the satellite does that to its scripts itself; it may make user
# namespaces, which Ubuntu 23.10 and later keep from programs without a profile.
profile checkstack-satellite /usr/bin/checkstack-satellite flags=(unconfined) {
  userns,
  include if exists <local/checkstack-satellite>
}
