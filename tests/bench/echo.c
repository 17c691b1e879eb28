/* A plain request/response peer for comparison: `echo server PORT` answers 1 KiB with 1 KiB on every connection, one epoll loop;
 * `echo client ADDRESS PORT CONNECTIONS SECONDS` keeps one request in flight on each connection and prints
 * "transactions p50_us p99_us". Closed loop, content not verified: the least that a generator can do. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 1024, MAX = 4096, SAMPLES = 1 << 22 };

static void die(const char *what) { perror(what); exit(1); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void nodelay(int fd) {
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) die("TCP_NODELAY");
}

static void cubic(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5); }

/* Reads what is there; nonzero once SIZE bytes of a message are complete; -1 at the end. */
static int take(int fd, int *have, char *buffer) {
    ssize_t n = read(fd, buffer, SIZE - *have);
    if (n == 0) return -1;
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    *have += n;
    if (*have < SIZE) return 0;
    *have = 0;
    return 1;
}

static int server(int port) {
    static int have[65536];
    char buffer[SIZE] = {0};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, loop = epoll_create1(0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    cubic(listener);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(loop, events, 256, 60000);
        if (n <= 0) return 0;
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int peer = accept4(listener, 0, 0, SOCK_NONBLOCK);
                if (peer < 0) continue;
                nodelay(peer);
                event.data.fd = peer;
                have[peer] = 0;
                epoll_ctl(loop, EPOLL_CTL_ADD, peer, &event);
                continue;
            }
            int got = take(fd, &have[fd], buffer);
            if (got < 0) close(fd);
            if (got > 0 && write(fd, buffer, SIZE) != SIZE) die("write");
        }
    }
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int client(const char *address, int port, int connections, double seconds) {
    static double sent[65536];
    static int have[65536];
    static float samples[SAMPLES];
    char buffer[SIZE] = {0};
    int loop = epoll_create1(0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    for (int i = 0; i < connections && i < MAX; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        cubic(fd);
        if (connect(fd, (void *)&to, sizeof to)) die("connect");
        nodelay(fd);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
        sent[fd] = now();
        if (write(fd, buffer, SIZE) != SIZE) die("write");
    }
    struct epoll_event events[256];
    long done = 0;
    for (double end = now() + seconds; now() < end;) {
        int n = epoll_wait(loop, events, 256, 1000);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd, got = take(fd, &have[fd], buffer);
            if (got < 0) die("the server went away");
            if (!got) continue;
            double at = now();
            samples[done++ % SAMPLES] = (at - sent[fd]) * 1e6;
            sent[fd] = at;
            if (write(fd, buffer, SIZE) != SIZE) die("write");
        }
    }
    long count = done < SAMPLES ? done : SAMPLES;
    qsort(samples, count, sizeof *samples, by_value);
    printf("%ld %.1f %.1f\n", done, samples[count / 2], samples[count * 99 / 100]);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "server")) return server(atoi(argv[2]));
    if (argc == 6 && !strcmp(argv[1], "client")) return client(argv[2], atoi(argv[3]), atoi(argv[4]), atof(argv[5]));
    fprintf(stderr, "echo server PORT | echo client ADDRESS PORT CONNECTIONS SECONDS\n");
    return 2;
}
