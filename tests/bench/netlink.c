/* The least that the kernel asks for a star of N nodes, for comparison: one thread, one netlink request after the other, nothing checked but
 * errors. `netlink star N` prints "up_ms closed_ms gone_ms": made; all handles closed; the kernel has freed every namespace.
 * `netlink fence` prints "ms": how long until the kernel has freed all namespaces that were given up before (it frees them one batch after
 * the other, so one that is made and given up now goes last). Needs root. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1024 };

static struct { struct nlmsghdr head; char body[ROOM]; } message;

static void die(const char *what) { perror(what); exit(1); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void *end(void) { return (char *)&message + NLMSG_ALIGN(message.head.nlmsg_len); }

static void *begin(int type, int flags, size_t size) {
    memset(&message, 0, sizeof message);
    message.head.nlmsg_len = NLMSG_LENGTH(size);
    message.head.nlmsg_type = type;
    message.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    return NLMSG_DATA(&message.head);
}

static struct rtattr *put(int type, const void *data, size_t size) {
    struct rtattr *attribute = end();
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(size);
    if (size) memcpy(RTA_DATA(attribute), data, size);
    message.head.nlmsg_len = NLMSG_ALIGN(message.head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void close_nest(struct rtattr *nest) { nest->rta_len = (char *)end() - (char *)nest; }

static int ask(int netlink) {
    char answer[ROOM];
    if (send(netlink, &message, message.head.nlmsg_len, 0) < 0) die("send");
    if (recv(netlink, answer, sizeof answer, 0) < 0) die("recv");
    const struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);
    errno = -error->error;
    return error->error;
}

static int enter_new(void) {
    if (unshare(CLONE_NEWNET)) die("unshare");
    int namespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (namespace < 0) die("open");
    return namespace;
}

static int netlink_here(void) {
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (netlink < 0) die("netlink");
    return netlink;
}

static void up(int netlink, int index) {
    struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
    link->ifi_index = index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    if (ask(netlink)) die("up");
}

static void bridge(int netlink) {
    struct ifinfomsg *link = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
    link->ifi_index = 2;
    link->ifi_flags = link->ifi_change = IFF_UP;
    put(IFLA_IFNAME, "lan", 4);
    struct rtattr *info = put(IFLA_LINKINFO, NULL, 0);
    put(IFLA_INFO_KIND, "bridge", 6);
    close_nest(info);
    if (ask(netlink)) die("bridge");
}

/* A port of the bridge whose other end, eth0 with index 2, is in another namespace. */
static void port(int netlink, int number, int index, int master, int namespace) {
    char name[IFNAMSIZ];
    struct ifinfomsg *link = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link);
    link->ifi_index = index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    put(IFLA_IFNAME, name, snprintf(name, sizeof name, "p%d", number) + 1);
    if (master) put(IFLA_MASTER, &master, sizeof master);
    struct rtattr *info = put(IFLA_LINKINFO, NULL, 0);
    put(IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = put(IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = put(VETH_INFO_PEER, &(struct ifinfomsg){.ifi_index = 2}, sizeof(struct ifinfomsg));
    put(IFLA_IFNAME, "eth0", 5);
    put(IFLA_NET_NS_FD, &namespace, sizeof namespace);
    close_nest(peer);
    close_nest(data);
    close_nest(info);
    if (ask(netlink)) die("veth");
}

static void address(int netlink, int number) {
    struct ifaddrmsg *address = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *address);
    *address = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = 2};
    uint32_t ip = htonl(0x0a010000 + number + 1);
    put(IFA_LOCAL, &ip, sizeof ip);
    put(IFA_ADDRESS, &ip, sizeof ip);
    if (ask(netlink)) die("address");
}

static int is_there(int netlink, int index) {
    struct ifinfomsg *link = begin(RTM_GETLINK, 0, sizeof *link);
    link->ifi_index = index;
    /* The answer is the link, or an error. */
    message.head.nlmsg_flags = NLM_F_REQUEST;
    char answer[16384];
    if (send(netlink, &message, message.head.nlmsg_len, 0) < 0 || recv(netlink, answer, sizeof answer, 0) < 0) die("get");
    return ((struct nlmsghdr *)answer)->nlmsg_type != NLMSG_ERROR;
}

/* Gives up a namespace and waits until the end of its link in this one is gone. */
static double fence(void) {
    int here = enter_new(), netlink = netlink_here(), there = enter_new();
    if (setns(here, CLONE_NEWNET)) die("setns");
    port(netlink, 0, 10, 0, there);
    double began = now();
    close(there);
    while (is_there(netlink, 10)) usleep(200);
    close(netlink), close(here);
    return now() - began;
}

static void star(int nodes) {
    int *namespaces = calloc(nodes, sizeof *namespaces), *sockets = calloc(nodes, sizeof *sockets);
    if (!namespaces || !sockets) die("calloc");
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    double began = now();
    int hub = enter_new(), netlink = netlink_here();
    bridge(netlink);
    up(netlink, 1);
    for (int i = 0; i < nodes; i++) namespaces[i] = enter_new(), sockets[i] = netlink_here();
    for (int i = 0; i < nodes; i++) port(netlink, i, 10 + i, 2, namespaces[i]);
    for (int i = 0; i < nodes; i++) address(sockets[i], i), up(sockets[i], 2), up(sockets[i], 1);
    double made = now();
    if (setns(home, CLONE_NEWNET)) die("setns");
    for (int i = 0; i < nodes; i++) close(sockets[i]), close(namespaces[i]);
    close(netlink), close(hub);
    double closed = now();
    fence();
    printf("%.3f %.3f %.3f\n", made - began, closed - made, now() - made);
}

int main(int count, char **words) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");
    if (count == 3 && !strcmp(words[1], "star")) star(atoi(words[2]));
    else if (count == 2 && !strcmp(words[1], "fence")) printf("%.3f\n", fence());
    else return fprintf(stderr, "usage: netlink star N | netlink fence\n"), 2;
    return 0;
}
