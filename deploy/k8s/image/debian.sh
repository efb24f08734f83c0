#!/bin/sh
# Puts Debian's part of the image together in /image, and installs what the next steps need into the build stage alone.
# Packages are unpacked and not installed: their scripts want a shell, and what those would do is done below.
set -eu
root=/image

rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
signed='Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg'
printf 'Types: deb\nURIs: %s\nSuites: %s\n%s\n\n' \
  "$DEBIAN_MIRROR" 'trixie trixie-updates' "$signed" \
  "$DEBIAN_SECURITY_MIRROR" 'trixie-security' "$signed" >/etc/apt/sources.list.d/debian.sources
# the lists of a day that has passed are out of date by intention
case "$DEBIAN_MIRROR" in
*://snapshot.debian.org/*) echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/snapshot ;;
esac

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq -o Acquire::Languages=none
apt-get install -qq -y --no-install-recommends binutils libcap2-bin python3-pip python3.13 >/dev/null

mkdir -p packages "$root/var/lib/dpkg/status.d"
(cd packages && sed 's/#.*//' ../debian.txt | awk 'NF { print $1 }' | xargs apt-get download -qq)
# base-files has the links from /bin, /lib and /sbin to /usr, and must come first
for package in packages/base-files_*.deb packages/*.deb; do
  dpkg-deb --extract "$package" "$root"
  # where scanners look for the packages of images that have no dpkg
  dpkg-deb --field "$package" >"$root/var/lib/dpkg/status.d/$(dpkg-deb --field "$package" Package)"
done

cd "$root"
# what nobody reads in a container; the licences stay
find usr/share/doc -mindepth 2 ! -name copyright ! -type d -delete
rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bug usr/share/gdb usr/share/menu \
  usr/share/bash-completion usr/share/perl5 usr/share/python3 usr/share/base-files usr/share/applications \
  usr/share/pixmaps usr/share/gcc usr/share/binfmts usr/share/libc-bin usr/share/terminfo usr/lib/terminfo lib/terminfo \
  usr/share/nftables usr/share/ca-certificates.conf usr/lib/systemd usr/lib/tmpfiles.d etc/init.d etc/default \
  etc/update-motd.d etc/profile.d etc/skel etc/motd etc/issue etc/issue.net etc/nftables.conf etc/binfmt.d \
  boot home media mnt opt root srv tmp var/backups var/cache var/local var/lock var/log var/mail var/opt var/spool var/tmp
# character sets for iconv: Python has its own, and nobody else asks
rm -rf usr/lib/*/gconv usr/lib/*/audit
# of Python's library: its tests, and what needs a terminal, a display or a database library that is not here
python=usr/lib/python3.13
rm -rf $python/test $python/pydoc_data $python/_pyrepl $python/idlelib $python/turtle.py $python/__phello__ \
  $python/curses $python/dbm $python/ensurepip $python/tkinter
rm -f $python/lib-dynload/_curses*.so $python/lib-dynload/_dbm*.so $python/lib-dynload/readline*.so \
  $python/lib-dynload/_test*.so $python/lib-dynload/_ctypes_test*.so $python/lib-dynload/_xxtestfuzz*.so \
  $python/lib-dynload/xx*.so

# what the packages' scripts would have done
cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
rm -rf usr/share/ca-certificates usr/sbin/update-ca-certificates etc/ca-certificates
mkdir -p usr/lib/ssl
ln -s /etc/ssl/certs/ca-certificates.crt usr/lib/ssl/cert.pem
ln -s /etc/ssl/certs usr/lib/ssl/certs
printf '%s\n' 'root:x:0:0:root:/nonexistent:/usr/sbin/nologin' \
  'sidecar:x:64443:64443:agent-sidecar:/nonexistent:/usr/sbin/nologin' \
  'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin' >etc/passwd
printf '%s\n' 'root:x:0:' 'sidecar:x:64443:' 'nogroup:x:65534:' >etc/group
printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >etc/nsswitch.conf

# the rules' container runs nft itself, as nobody in particular and with NET_ADMIN in its bounding set: this is how it
# gets to use that
setcap cap_net_admin+ep usr/sbin/nft
