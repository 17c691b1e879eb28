; Colours of scenarios. A word of the language that is missing goes into the list of its kind; tests/editors.rs tells which.

(comment) @comment
(doc_comment) @comment.documentation

; ---- values

(text) @string
(raw_text) @string
(bytes) @string.special
(regex) @string.regexp
(escape) @string.escape
(hole ["${" "}"] @punctuation.special)
(number) @number
(unit) @type
(address) @constant
(mac) @constant

["+" "-" "*" "/" "==" "!=" "<" "<=" ">" ">=" "=" ".." "<->"] @operator
["and" "or" "not" "matches"] @keyword.operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" ";" "."] @punctuation.delimiter

(call function: (path . (name) @function .))
((call function: (path . (name) @function.builtin .))
  (#any-of? @function.builtin
    "min" "max" "round" "floor" "ceil" "sum" "mean" "median" "uniform" "exponential" "normal" "pareto" "choice" "gilbert_elliott"))
(path (name) (name) @property)
(argument name: (name) @variable.parameter)

; ---- declarations

"scn" @keyword
"use" @keyword.import
(use "as" @keyword.import)
(use alias: (name) @module)
(use module: (path (name) @module))
["for" "in" "if" "then" "else"] @keyword.conditional
(declaration kind: _ @keyword)
(declaration name: (name) @function)

((argument value: (path . (name) @type .))
  (#any-of? @type
    "count" "number" "duration" "size" "bandwidth" "rate" "ratio" "text" "bytes" "regex" "address" "prefix" "mac" "range" "list" "condition"
    "flow" "node" "link" "service" "event" "pattern" "process" "stress"))
((declaration ":" . (path . (name) @type .))
  (#any-of? @type
    "count" "number" "duration" "size" "bandwidth" "rate" "ratio" "text" "bytes" "regex" "address" "prefix" "mac" "range" "list" "condition"))

; ---- words that begin a statement

((statement . (path . (name) @keyword .))
  (#any-of? @keyword
    ; in a scenario
    "tags" "needs" "timeout" "tolerance" "topology" "timeline" "expect" "matrix" "except" "param" "secret" "let" "fn" "action" "check" "pattern"
    "scenario" "service" "flow" "process" "stress"
    ; in a topology
    "node" "router" "bridge" "external" "host" "remote" "link" "vxlan" "interface" "vlan" "bond" "macvlan" "route" "routing"
    ; in a pattern
    "pause" "repeat" "choose"
    ; in a timeline
    "at" "when" "every"
    ; among expectations
    "require" "note" "always" "never"
    ; in a service, a process
    "listen" "serve" "run" "file" "env" "ready" "stop"))

((statement . (path . (name) @variable.builtin .) . [(path) (word)])
  (#any-of? @variable.builtin "client" "server"))

; ---- words inside a statement

(word) @keyword
([(statement (path . (name) @keyword .)) (declaration (path . (name) @keyword .))]
  (#any-of? @keyword
    ; clauses
    "from" "to" "on" "over" "via" "as" "for" "at" "within" "after" "before" "during" "sampled" "every" "until" "tool" "kernel" "one" "way"
    "always" "never"
    ; steps
    "sends" "expects" "echoes" "pauses" "closes" "resets" "half" "random" "file" "any" "line" "log"
    ; verbs
    "start" "stop" "pause" "resume" "set" "up" "down" "silence" "unsilence" "impair" "restore" "partition" "heal" "add" "remove" "move"
    "route" "kill" "signal" "freeze" "thaw" "restart" "vanish" "isolate" "run" "capture" "mark" "call"))
((binary right: (path . (name) @keyword .)) (#eq? @keyword "stays"))

; options
([(statement (path . (name) @attribute .)) (declaration (path . (name) @attribute .))]
  (#any-of? @attribute
    "rate" "delay" "jitter" "distribution" "loss" "duplicate" "reorder" "corrupt" "queue" "mtu" "forward" "back" "mac" "vlan" "sysctl"
    "forwarding" "offload" "placement" "congestion" "nodelay" "ecn" "keepalive" "mss" "dscp" "name" "verify" "versions" "alpn"
    "certificate" "backlog" "connections" "total" "transactions" "opens" "interval" "duration" "reconnect" "sample" "arrivals"
    "bandwidth" "source" "destination" "ports" "peer" "size" "frame" "arguments" "streams" "transports" "tools" "ethernet" "ipv4" "ipv6"
    "payload" "ttl" "path" "body" "id" "port" "mode" "miimon" "serve"
    "ciphers" "type" "df" "header" "method" "receive_buffer" "resumption" "send_buffer" "status" "user_timeout"
    "watch" "wire" "drop" "keep_order" "mtu_black_hole" "overhead" "target" "growth" "limit" "most" "connect" "idle"
    "response" "burst" "phase" "timeout" "mark" "version"
    "operation" "sender_address" "sender_mac" "target_address" "target_mac" "chassis" "description"
    "system" "actor" "partner" "key" "port_priority" "state" "system_priority" "identification" "protocol" "flow_label"
    "hop_limit" "next_header" "code" "identifier" "sequence" "acknowledgement" "flags" "window" "icmpv6"
    "lacp" "lldp" "arp" "ethertype" "drop_eligible" "priority" "device"))

([(statement (path . (name) @constant.builtin .)) (declaration (path . (name) @constant.builtin .)) (list (path . (name) @constant.builtin .))]
  (#any-of? @constant.builtin
    "tcp" "tls" "udp" "icmp" "http" "quic" "sctp" "mptcp" "frames" "ping" "iperf3" "iperf" "netperf"
    "off" "auto" "none" "manual" "constant" "poisson" "even" "own" "ctraffic" "nd"
    "reply" "request" "ack" "cwr" "ece" "fin" "psh" "rst" "syn" "urg"
    "active_backup" "balance_alb" "balance_rr" "balance_tlb" "balance_xor" "broadcast" "passthru" "private" "vepa"))
