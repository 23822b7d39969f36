#!/bin/sh
# The guest's first program: see xtask/src/vm. The initramfs has busybox and the modules, no more.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/modules/$module" || echo "init: $module does not load"
done </modules/order
for port in /dev/vport*; do exec >"$port" 2>&1; done

options=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o $options,cache=none job /job || poweroff -f
mount -t 9p -o $options,cache=loose,ro host /host || poweroff -f
mount -t tmpfs memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root || poweroff -f
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t bpf bpf /root/sys/fs/bpf
mount -t devtmpfs dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts pts /root/dev/pts
ln -sf /proc/self/fd /root/dev/fd
# The workspace stays, wherever it is.
read -r workspace </job/workspace
mount -o bind "/root$workspace" /workspace
for place in run tmp dev/shm; do mount -t tmpfs memory "/root/$place"; done
mkdir -p "/root$workspace"
mount -o bind /workspace "/root$workspace"
hostname guest
ip link set lo up
# A namespace shall have the tunnels that it is given, not one of each kind that the kernel has.
echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net
echo 1 >/proc/sys/net/core/bpf_jit_enable

cp /job/script /root/run/script
chroot /root /bin/sh /run/script
echo $? >/job/status
sync
poweroff -f
