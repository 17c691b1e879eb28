" Colours of scenarios. Which words stand where is told by the blocks: verbs in `timeline`, steps in `pattern`, and so on.
" A word of the language that is missing goes into the `syn keyword` line of its kind; tests/editors.rs tells which.
if exists('b:current_syntax')
  finish
endif

let s:save_cpo = &cpo
set cpo&vim

syn case match
syn iskeyword @,48-57,_
syn sync fromstart

" ---- values ----------------------------------------------------------------------------------------------------------
syn match scnComment "#.*$" contains=@Spell
syn match scnDoc "^\s*##.*$" contains=@Spell

syn match scnOperator "<->\|\.\.\|[=!<>]=\|[<>+*/-]"
syn match scnAssign "=\@1<!==\@!" nextgroup=scnRegex skipwhite
syn keyword scnOperatorWord and or not then else
syn keyword scnOperatorWord matches nextgroup=scnRegex skipwhite

" A unit follows its number at once; what is no unit is marked.
syn match scnNumber "\<\d\+\%(\.\d\+\)\?" nextgroup=scnUnit,scnBadUnit
syn match scnBadUnit contained "\h\w*\%(/\a\+\)\?"
syn match scnUnit contained "%\|\%([kM]\?/[smh]\|[kMG]\?bit/s\|[kMG]\?bps\|\%([kMG]\|[KMG]i\)\?B\%(/s\)\?\|ns\|us\|ms\|[smhkM]\)\>"
syn match scnAddress "\<\d\+\%(\.\d\+\)\{3}\%(/\d\+\)\?\>"
syn match scnAddress "[[:xdigit:]:.]\@1<!\%(\x\{1,4}\%(:\x\{1,4}\)*\)\?::\%(\x\{1,4}\%(:\x\{1,4}\)*\)\?\%(/\d\+\)\?[[:xdigit:]:]\@!"
syn match scnAddress "\<\x\{1,4}\%(:\x\{1,4}\)\{7}\%(/\d\+\)\?\>"
syn match scnMac "\<\x\x\%(:\x\x\)\{5}\>"

syn match scnEscape contained "\\\%([nrt0\\\"$]\|x[0-7]\x\|u{\x\{1,6}}\)"
syn region scnHole contained matchgroup=scnHoleSign start="\${" end="}" oneline contains=@scnValue
syn region scnText start=+"+ skip=+\\.+ end=+"+ oneline contains=scnEscape,scnHole
syn region scnRaw start=+\<r"+ end=+"+ oneline
syn region scnBytes start=+\<hex"+ end=+"+ oneline
syn region scnLongText start=+"""+ skip=+\\.+ end=+"""+ contains=scnEscape,scnHole
syn region scnLongRaw start=+\<r"""+ end=+"""+
syn region scnRegex contained start="/" skip="\\." end="/" oneline contains=scnCapture
syn match scnCapture contained "(?<\zs\h\w*\ze>"

syn match scnQuoted "`\h\w*`"
syn match scnMember "\.\@1<!\.\h\w*" contains=scnMetric
syn match scnLabel contained "\<\h\w*\>\ze\s*:[^:]\@="
syn match scnType contained ":\s*\zs\%(count\|number\|duration\|size\|bandwidth\|rate\|ratio\|text\|bytes\|regex\|address\|prefix\|mac\|range\|list\|condition\|flow\|node\|link\|service\|event\|pattern\|process\|stress\)\>"
syn match scnTyped contained ":\s*\h\w*" contains=scnType
syn match scnCall "\<\h\w*\ze("
syn match scnFunction "\<\%(min\|max\|round\|floor\|ceil\|sum\|mean\|median\|uniform\|exponential\|normal\|pareto\|choice\|gilbert_elliott\)\ze\s*("
syn region scnParens matchgroup=scnParen start="(" end=")" transparent contains=@scnValue,scnLabel,scnType,scnParens

syn keyword scnMetric contained sent received lost loss dropped corrupt misdelivered transactions failed_transactions errors rate goodput forward back
syn keyword scnMetric contained connections active connecting failed_connects failed_connections lasting_connections reconnects resets timeouts
syn keyword scnMetric contained latency service connect_time reconnect_time lag outage total count tx failover_time reversion_time time_to_first_loss
syn keyword scnMetric contained backends skew tcp client server rtt rttvar min_rtt cwnd retransmits bytes_acked bytes_received delivery_rate
syn keyword scnMetric contained late duplicates reordered handshake_time owd delay_variation running output streams
syn keyword scnMetric contained http successes redirects client_errors server_errors ssthresh unacked reordering pacing_rate ca_state stall delivered cut duplicated corrupted bandwidth
syn keyword scnMetric contained queued queue delay rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped carrier exits exit cpu memory log failed status time
syn keyword scnMetric contained min mean p50 p90 p95 p99 p999 max

" ---- words -----------------------------------------------------------------------------------------------------------
syn keyword scnVersion scn nextgroup=scnNumber skipwhite
syn keyword scnImport use as
syn keyword scnClause from to on over via in as for at within after before during sampled every until stays tool kernel one way
syn keyword scnRepetition for if else in
syn keyword scnSetting tags needs except timeout tolerance
syn keyword scnDeclare let fn param matrix secret scenario flow service process stress nextgroup=scnDeclared skipwhite
syn match scnDeclared contained "\<\h\w*\>\|`\h\w*`" nextgroup=scnTyped

syn keyword scnOption contained listen serve run file env ready stop over connections total transactions rate opens interval duration
syn keyword scnOption contained reconnect sample arrivals bandwidth source destination ports peer size frame arguments streams transports tools
syn keyword scnOption contained delay jitter distribution loss duplicate reorder corrupt queue mtu forward back mac vlan sysctl forwarding offload
syn keyword scnOption contained placement congestion nodelay ecn keepalive mss dscp name verify versions alpn certificate backlog
syn keyword scnOption contained ethernet ipv4 ipv6 payload ttl path body random id port mode miimon
syn keyword scnOption contained ciphers type df header method receive_buffer resumption send_buffer status user_timeout watch wire drop keep_order mtu_black_hole overhead
syn keyword scnOption contained target growth limit most connect idle response burst phase timeout mark version
syn keyword scnOption contained operation sender_address sender_mac target_address target_mac chassis description system actor partner key port_priority state system_priority identification protocol
syn keyword scnOption contained flow_label hop_limit next_header code identifier sequence acknowledgement flags window icmpv6 lacp lldp arp ethertype drop_eligible priority device
syn keyword scnOption contained log nextgroup=scnRegex skipwhite
syn keyword scnValueWord contained off auto none manual constant poisson even own ctraffic nd reply request ack cwr ece fin psh rst syn urg
syn keyword scnValueWord contained active_backup balance_alb balance_rr balance_tlb balance_xor broadcast passthru private vepa
syn keyword scnTransport tcp tls udp icmp http quic sctp mptcp frames ping iperf3 iperf netperf
syn match scnSignal contained "\<SIG[A-Z0-9]\+\>"

syn keyword scnTopologyWord contained node router bridge external host remote link vxlan interface vlan bond macvlan route routing
syn match scnSide contained "\%(\%(^\|[{;]\)\s*\)\@<=\%(client\|server\)\>\ze\s"
syn keyword scnStep contained echoes pauses pause closes resets half repeat choose random file any within
syn keyword scnStep contained expects sends line nextgroup=scnRegex skipwhite
syn keyword scnWhen contained at when every
syn keyword scnVerb contained start stop pause resume set up down silence unsilence impair restore partition heal add remove move route
syn keyword scnVerb contained kill signal freeze thaw restart vanish isolate run capture mark call
syn match scnJudge contained "\%(\%(^\|[{;]\)\s*\)\@<=\%(require\|note\)\>\%(\s\+\%(always\|never\)\>\)\?\ze[^.\[(]"
syn match scnJudge contained "\%(\%(^\|[{;]\)\s*\)\@<=\%(always\|never\)\>\ze[^.\[(]"

" ---- blocks ----------------------------------------------------------------------------------------------------------
syn cluster scnValue contains=scnComment,scnDoc,scnOperator,scnAssign,scnOperatorWord,scnNumber,scnAddress,scnMac,scnText,scnRaw,scnBytes,scnLongText,scnLongRaw,scnQuoted,scnMember,scnCall,scnFunction,scnParens
syn cluster scnCommon contains=@scnValue,scnClause,scnRepetition,scnDeclare,scnPattern,scnTopology,scnAction,scnCheck,scnTimeline,scnExpect

syn region scnBlock matchgroup=scnBrace start="{" end="}" transparent fold contains=@scnCommon,scnSetting,scnOption,scnValueWord,scnTransport,scnSignal,scnBlock

syn match scnPattern "\<pattern\>[.\[(]\@!" nextgroup=scnPatternName skipwhite
syn match scnPatternName contained "\<\h\w*\>\|`\h\w*`" nextgroup=scnPatternParens,scnPatternBlock skipwhite
syn region scnPatternParens matchgroup=scnParen start="(" end=")" contained contains=@scnValue,scnLabel,scnType nextgroup=scnPatternBlock skipwhite
syn region scnPatternBlock matchgroup=scnBrace start="{" end="}" contained fold contains=@scnCommon,scnSide,scnStep,scnPatternBlock

syn match scnTopology "\<topology\>[.\[(]\@!" nextgroup=scnTopologyName,scnTopologyBlock skipwhite
syn match scnTopologyName contained "\<\h\w*\>\|`\h\w*`" nextgroup=scnTopologyParens,scnTopologyBlock skipwhite
syn region scnTopologyParens matchgroup=scnParen start="(" end=")" contained contains=@scnValue,scnLabel,scnType nextgroup=scnTopologyBlock skipwhite
syn region scnTopologyBlock matchgroup=scnBrace start="{" end="}" contained fold contains=@scnCommon,scnTopologyWord,scnValueWord,scnTopologyNested
syn region scnTopologyNested matchgroup=scnBrace start="{" end="}" contained contains=@scnCommon,scnTopologyWord,scnOption,scnValueWord,scnTopologyNested

syn match scnAction "\<action\>[.\[(]\@!" nextgroup=scnActionName skipwhite
syn match scnActionName contained "\<\h\w*\>\|`\h\w*`" nextgroup=scnActionParens,scnTimelineBlock skipwhite
syn region scnActionParens matchgroup=scnParen start="(" end=")" contained contains=@scnValue,scnLabel,scnType nextgroup=scnTimelineBlock skipwhite
syn match scnTimeline "\<timeline\>[.\[(]\@!" nextgroup=scnTimelineBlock skipwhite
syn region scnTimelineBlock matchgroup=scnBrace start="{" end="}" contained fold contains=@scnCommon,scnWhen,scnVerb,scnSignal,scnTimelineNested
syn region scnTimelineNested matchgroup=scnBrace start="{" end="}" contained contains=@scnCommon,scnWhen,scnVerb,scnOption,scnValueWord,scnTimelineNested

syn match scnCheck "\<check\>[.\[(]\@!" nextgroup=scnCheckName skipwhite
syn match scnCheckName contained "\<\h\w*\>\|`\h\w*`" nextgroup=scnCheckParens,scnExpectBlock skipwhite
syn region scnCheckParens matchgroup=scnParen start="(" end=")" contained contains=@scnValue,scnLabel,scnType nextgroup=scnExpectBlock skipwhite
syn match scnExpect "\<expect\>[.\[(]\@!" nextgroup=scnExpectBlock skipwhite
syn region scnExpectBlock matchgroup=scnBrace start="{" end="}" contained fold contains=@scnCommon,scnJudge,scnExpectBlock

" ---- colours ---------------------------------------------------------------------------------------------------------
hi def link scnComment Comment
hi def link scnDoc SpecialComment
hi def link scnOperator Operator
hi def link scnAssign Operator
hi def link scnOperatorWord Operator
hi def link scnBadUnit Error
hi def link scnNumber Number
hi def link scnUnit Type
hi def link scnAddress Constant
hi def link scnMac Constant
hi def link scnEscape SpecialChar
hi def link scnHoleSign SpecialChar
hi def link scnText String
hi def link scnRaw String
hi def link scnBytes String
hi def link scnLongText String
hi def link scnLongRaw String
hi def link scnRegex String
hi def link scnCapture Identifier
hi def link scnLabel Identifier
hi def link scnType Type
hi def link scnCall Function
hi def link scnFunction Function
hi def link scnMetric Identifier
hi def link scnVersion PreProc
hi def link scnImport Include
hi def link scnClause Keyword
hi def link scnRepetition Repeat
hi def link scnSetting Statement
hi def link scnDeclare Structure
hi def link scnPattern Structure
hi def link scnTopology Structure
hi def link scnAction Structure
hi def link scnCheck Structure
hi def link scnTimeline Structure
hi def link scnExpect Structure
hi def link scnDeclared Title
hi def link scnPatternName Function
hi def link scnTopologyName Function
hi def link scnActionName Function
hi def link scnCheckName Function
hi def link scnOption Keyword
hi def link scnValueWord Constant
hi def link scnTransport Constant
hi def link scnSignal Constant
hi def link scnTopologyWord Keyword
hi def link scnSide Special
hi def link scnStep Statement
hi def link scnWhen Conditional
hi def link scnVerb Statement
hi def link scnJudge Conditional

let b:current_syntax = 'scn'
let &cpo = s:save_cpo
unlet s:save_cpo
