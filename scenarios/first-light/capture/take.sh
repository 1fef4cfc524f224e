#!/bin/sh
# Takes scenarios/first-light/traffic.pcap again: two network namespaces joined by a veth pair, real
# programs talking, tcpdump on one end. Needs root, iproute2, iputils-ping, curl, dig, nc (OpenBSD),
# python3 and tcpdump. See README.md beside this file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../traffic.pcap}
work=$(mktemp -d)
pids=''

finish() {
  for pid in $pids; do kill "$pid" 2>/dev/null || true; done
  ip netns del skep-client 2>/dev/null || true
  ip netns del skep-server 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT INT TERM

on() { # on NAMESPACE COMMAND...: run in the background
  ns=$1
  shift
  ip netns exec "skep-$ns" "$@" >>"$work/log" 2>&1 &
  pids="$pids $!"
}
client() { ip netns exec skep-client timeout 5 "$@" >>"$work/log" 2>&1 || true; }

ip netns add skep-client
ip netns add skep-server
ip link add wire0 netns skep-client address 02:00:00:00:00:02 type veth \
  peer name wire1 netns skep-server address 02:00:00:00:00:01
for end in client:wire0 server:wire1; do
  ns=skep-${end%%:*} dev=${end##*:}
  ip netns exec $ns sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
    net.ipv6.conf.$dev.accept_dad=0 net.ipv6.conf.all.accept_ra=0 || true
  ip netns exec $ns python3 "$here/peers.py" plain $dev
  ip -n $ns link set lo up
done

# The tagged network: the same wire, 802.1Q id 10.
on client python3 "$here/peers.py" vlan wire0.10 wire0 10
on server python3 "$here/peers.py" vlan wire1.10 wire1 10
ip -n skep-server link set wire1 up
ip -n skep-client link set wire0 up
ip -n skep-server addr add 10.0.0.1/24 dev wire1
ip -n skep-server addr add fd00::1/64 dev wire1 nodad
for n in 2 3 4 5; do
  ip -n skep-client addr add 10.0.0.$n/24 dev wire0
  ip -n skep-client addr add fd00::$n/64 dev wire0 nodad
done
sleep 1
for end in client:wire0.10:2 server:wire1.10:1; do
  ns=skep-${end%%:*} rest=${end#*:}
  dev=${rest%%:*} host=${rest##*:}
  ip netns exec $ns sysctl -qw "net/ipv6/conf/$dev/disable_ipv6=1"
  ip -n $ns link set "$dev" mtu 1496 address 02:00:00:00:10:0"$host" up
  ip -n $ns addr add 10.0.10.$host/24 dev "$dev"
done

mkdir "$work/www"
(cd "$work/www" && for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  echo "line $i: the bees of this hive have been counted, and none is missing today"
done >hive.txt && seq 1 1500 >numbers.txt)
on server python3 -m http.server --directory "$work/www" --bind 10.0.0.1 8000
on server python3 -m http.server --directory "$work/www" --bind fd00::1 8000
on server python3 -m http.server --directory "$work/www" --bind 10.0.10.1 8000
on server python3 "$here/peers.py" dns 10.0.0.1
on server python3 "$here/peers.py" dns fd00::1
on server nc -k -l 10.0.0.1 2323
on server nc -k -l fd00::1 2323
on server nc -u -k -l 10.0.0.1 9000
on server nc -u -k -l fd00::1 9000
on server nc -k -l 10.0.0.1 9001
sleep 2

ip netns exec skep-server tcpdump -i wire1 -n -s 0 --time-stamp-precision=nano -U \
  -w "$work/traffic.pcap" 2>>"$work/log" &
dump=$!
sleep 1

client ping -c 6 -i 0.2 10.0.0.1
client ping -6 -c 6 -i 0.2 fd00::1
client ping -c 4 -i 0.2 -I 10.0.0.3 -s 1000 10.0.0.1
# Larger than a frame: fragments.
client ping -c 2 -i 0.2 -s 2000 10.0.0.1
client ping -6 -c 2 -i 0.2 -s 2000 fd00::1
client curl -s -o "$work/page" http://10.0.0.1:8000/hive.txt
client curl -s -o "$work/page" 'http://[fd00::1]:8000/hive.txt'
client curl -s -o "$work/page" --interface 10.0.0.3 http://10.0.0.1:8000/numbers.txt
client curl -s -o "$work/page" --interface 10.0.0.4 http://10.0.0.1:8000/nothing-here
client dig +tries=1 +time=1 @10.0.0.1 hive.example A
client dig +tries=1 +time=1 @10.0.0.1 queen.hive.example AAAA
client dig +tries=1 +time=1 @10.0.0.1 wasp.example A
client dig +tries=1 +time=1 @fd00::1 drone.hive.example AAAA
client sh -c 'for i in 1 2 3 4 5 6 7 8; do echo "datagram $i"; sleep 0.02; done | nc -u -w 1 -s 10.0.0.4 10.0.0.1 9000'
client sh -c 'for i in 1 2 3 4 5 6 7 8; do echo "datagram $i"; sleep 0.02; done | nc -u -w 1 -s fd00::2 fd00::1 9000'
client sh -c 'seq 1 4000 | nc -N -w 1 -s 10.0.0.3 10.0.0.1 9001'
# Nobody listens there: ICMP port unreachable, TCP reset.
client sh -c 'echo anyone | nc -u -w 1 10.0.0.1 9999'
client sh -c 'echo anyone | nc -u -w 1 fd00::1 9999'
client nc -z -w 1 10.0.0.1 81
client nc -z -w 1 fd00::1 81
# The port that the scenario's program blocks.
client sh -c 'echo let me in | nc -N -w 1 -s 10.0.0.5 10.0.0.1 2323'
client sh -c 'echo let me in | nc -N -w 1 -s fd00::4 fd00::1 2323'
# The tagged network.
client ping -c 3 -i 0.2 10.0.10.1
client curl -s -o "$work/page" http://10.0.10.1:8000/hive.txt
client curl -s -o "$work/page" 'http://[fd00::1]:8000/numbers.txt' --interface fd00::3

sleep 1
kill -INT $dump
wait $dump || true
cp "$work/traffic.pcap" "$out"
cat "$work/log" >&2
