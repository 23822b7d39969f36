# The life of the package, inside the container: run by systemd as root.
set -euo pipefail

unit=lvs-ctl.service
vip=192.0.2.80

step() { echo "--- $*"; }

fail() {
    echo "FAILED: $*"
    systemctl --no-pager --full status "$unit" || true
    journalctl --no-pager --unit "$unit" --lines 50 || true
    lvs-ctl status || true
    tail -n 3 /run/talk || true
    exit 1
}

trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

# `wait_for WHAT COMMAND`: until it is true.
wait_for() {
    local what=$1 tries=200
    shift
    until "$@"; do
        ((tries--)) || fail "$what"
        sleep 0.05
    done
}

# A client asks over one connection, again and again, until an answer is lost.
talk() {
    exec ip netns exec client bash -c '
        exec 3<>/dev/tcp/'$vip'/80
        for ((number = 0; ; number++)); do
            echo "$number" >&3
            read -r -t 5 answer <&3 && [[ $answer == "$number" ]] || { echo lost; exit 1; }
            echo "$answer"
            sleep 0.02
        done'
}

lines() { wc -l < /run/talk; }
more_than() { (($(lines) > $1)); }

# The connection is alive: it gets ten further answers.
talks() {
    local seen
    seen=$(lines)
    wait_for "the connection is lost $*" more_than $((seen + 10))
}

step "a client, a director, a real server"
ip netns add client
ip netns add real
ip link add eth0 type veth peer name eth0 netns client
ip link add eth1 type veth peer name eth0 netns real
ip addr add 192.0.2.1/24 dev eth0
ip addr add $vip/32 dev eth0
ip addr add 10.0.0.1/24 dev eth1
ip -n client addr add 192.0.2.2/24 dev eth0
ip -n real addr add 10.0.0.2/24 dev eth0
for netns in client real; do
    ip -n $netns link set lo up
    ip -n $netns link set eth0 up
    # Checksums that nobody has computed are the stack's secret.
    ip netns exec $netns ethtool --offload eth0 tx off > /dev/null
done
for interface in eth0 eth1; do
    ip link set $interface up
    ethtool --offload $interface tx off > /dev/null
done
ip -n real route add default via 10.0.0.1
echo 1 > /proc/sys/net/ipv4/ip_forward
ip netns exec real systemd-socket-activate --accept --inetd --listen 10.0.0.2:8080 cat 2> /dev/null &

# `package NAME VERSION DEPENDS`: installs what lies in /try/NAME, or nothing.
package() {
    mkdir -p "/try/$1/DEBIAN"
    printf '%s\n' "Package: $1" "Version: $2" "Architecture: all" "Depends: $3" \
        "Maintainer: nobody <nobody@localhost>" "Description: of a test" > "/try/$1/DEBIAN/control"
    dpkg-deb --build "/try/$1" > /dev/null
    dpkg --install "/try/$1.deb"
}

step "install, in place of the package ipvsadm"
mkdir -p /try/ipvsadm/sbin /try/ipvsadm/usr/share/man/man8
touch /try/ipvsadm/sbin/ipvsadm{,-save,-restore} /try/ipvsadm/usr/share/man/man8/ipvsadm.8.gz
package ipvsadm 1:1.31-1+b1 bash
dpkg --install /try/old.deb
[[ $(systemctl is-enabled $unit || true) == disabled ]]
[[ $(systemctl is-active $unit || true) == inactive ]]
[[ $(ipvsadm --version) == "ipvsadm v1.31"* ]]
for name in ipvsadm ipvsadm-save ipvsadm-restore; do
    [[ $(readlink /usr/sbin/$name) == lvs-ctl ]]
done
[[ -z $(dpkg --verify lvs-ctl) ]]
systemd-analyze verify --man=no $unit
systemd-analyze security --offline=true --threshold=40 $unit | tail -n 1

step "those who ask for ipvsadm have it"
package asks 1 "ipvsadm (>= 1:1.28)"
dpkg --purge asks

step "start"
sed -i 's/^interfaces = .*/interfaces = ["eth0", "eth1"]/' /etc/lvs/lvs.toml
systemctl enable --now $unit
[[ $(stat --format %U:%G:%a /run/lvs/lvs.sock) == root:lvs:660 ]]
ipvsadm -A -t $vip:80 -s wrr
ipvsadm -a -t $vip:80 -r 10.0.0.2:8080 -m
rules=$(ipvsadm-save -n)
: > /run/talk
talk >> /run/talk &
talker=$!
talks "at the beginning"
systemctl show --property WatchdogTimestampMonotonic --value $unit | grep -qv '^0$'

step "a member of the group gives commands, others do not"
setpriv --reuid nobody --regid lvs --clear-groups lvs-ctl service list | grep -q $vip
! setpriv --reuid nobody --regid nogroup --clear-groups lvs-ctl service list 2> /dev/null || fail "all may"

step "reload"
printf '[[service]]\nlisten = "tcp:192.0.2.80:81"\n' >> /etc/lvs/lvs.toml
systemctl reload $unit
ipvsadm-save -n | grep -q 'A -t 192.0.2.80:81'
sed -i '/^\[\[service\]\]$/,$d' /etc/lvs/lvs.toml
systemctl reload $unit
[[ $(ipvsadm-save -n) == "$rules" ]]
talks "over a reload"

step "stop, start, killed"
systemctl stop $unit
talks "without a controller"
systemctl start $unit
kill -KILL "$(systemctl show --property MainPID --value $unit)"
wait_for "the controller does not come again" lvs-ctl status > /dev/null 2>&1
[[ $(ipvsadm-save -n) == "$rules" ]]
talks "over a killed controller"

step "upgrade"
before=$(systemctl show --property MainPID --value $unit)
dpkg --install /try/new.deb
[[ $(systemctl is-active $unit) == active ]]
[[ $(systemctl show --property MainPID --value $unit) != "$before" ]]
[[ $(ipvsadm-save -n) == "$rules" ]]
grep -q '^interfaces = \["eth0", "eth1"\]' /etc/lvs/lvs.toml
talks "over the upgrade"
journalctl --unit $unit --output cat | grep -q 'adopted.*true'

step "a socket for another group, the API over a low port"
sed -i 's/^#\[socket\]/[socket]/; s/^#group = .*/group = "adm"/' /etc/lvs/lvs.toml
systemctl restart $unit
[[ $(stat --format %G /run/lvs/lvs.sock) == adm ]]
sed -i 's/^#\[metrics\]/[metrics]/; s/^#listen = "127.*/listen = "127.0.0.1:937"/' /etc/lvs/lvs.toml
systemctl restart $unit
exec 4<>/dev/tcp/127.0.0.1/937
talks "over restarts"
! grep -q lost /run/talk || fail "an answer was lost"
connections=$(lvs-ctl connections --state ESTABLISHED | wc -l)
((connections == 2)) || fail "$connections lines of connections"

kill $talker
step "remove"
dpkg --remove lvs-ctl
[[ $(systemctl is-active $unit || true) == inactive ]]
! ip link show eth0 | grep -q xdp || fail "eth0 has a program"
! ip link show eth1 | grep -q xdp || fail "eth1 has a program"
[[ ! -e /sys/fs/bpf/lvs ]]
[[ -e /etc/lvs/lvs.toml ]]
[[ $(cat /proc/sys/net/ipv4/conf/eth0/accept_local) == 0 ]]

step "install again: the rules are there"
dpkg --install /try/new.deb
systemctl start $unit
[[ $(ipvsadm-save -n) == "$rules" ]]

step "purge"
dpkg --purge lvs-ctl
for path in /etc/lvs /var/lib/lvs /run/lvs /sys/fs/bpf/lvs /usr/sbin/ipvsadm; do
    [[ ! -e $path ]] || fail "$path is left"
done

step "all is well: $(lines) answers over one connection"
