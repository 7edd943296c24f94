;; The transitions of docs/ABI.md (clauses 23 to 30 and 34), one call each. V8 looks for interruption at function entries and
;; loop headers, so a vm timeout can cut a claim half-way here as it can in JavaScript, and the same clauses repair it; "up",
;; "down" and "first" have no call and no loop behind their first effect. src/wasm/twin.ts is the same in JavaScript; every
;; test runs on both. Names between percent signs are replaced at build time from the tables in src/abi, so that no offset is
;; written twice. "at" is the byte offset of a slot or of an entry.
(module
  (import "area" "memory" (memory 1 65536 shared))

  (func $id (param $low i32) (param $high i32) (result i64)
    (i64.or
      (i64.extend_i32_u (local.get $low))
      (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32))))

  (func $slot (param $i i32) (result i32)
    (i32.add
      (i32.atomic.load offset=%header.slot_offset% (i32.const 0))
      (i32.mul (local.get $i) (i32.atomic.load offset=%header.slot_stride% (i32.const 0)))))

  (func $has_hint (result i32)
    (i32.ge_u (i32.atomic.load offset=%header.header_feature_size% (i32.const 0)) (i32.const %end.header.slot_hint%)))

  ;; never beyond the table, whatever somebody wrote there
  (func $high_water (result i32)
    (local $water i32) (local $capacity i32)
    (local.set $water (i32.atomic.load offset=%header.slot_high_water% (i32.const 0)))
    (local.set $capacity (i32.atomic.load offset=%header.slot_capacity% (i32.const 0)))
    (select (local.get $water) (local.get $capacity) (i32.lt_u (local.get $water) (local.get $capacity))))

  ;; ---- clause 20: everything up to feature_size but owner, generation and registered_total
  (func $reset (param $at i32) (param $i i32)
    (local $size i32) (local $k i32)
    (local.set $size (i32.atomic.load offset=%header.feature_size% (i32.const 0)))
    (block $words_done
      (loop $words
        (br_if $words_done (i32.gt_u (i32.add (local.get $k) (i32.const 4)) (local.get $size)))
        (if (i32.eqz
              (i32.or
                (i32.eq (i32.and (local.get $k) (i32.const -8)) (i32.const %slot.owner%))
                (i32.or
                  (i32.eq (local.get $k) (i32.const %slot.generation%))
                  (i32.eq (local.get $k) (i32.const %slot.registered_total%)))))
          (then (i32.atomic.store (i32.add (local.get $at) (local.get $k)) (i32.const 0))))
        (local.set $k (i32.add (local.get $k) (i32.const 4)))
        (br $words)))
    ;; a feature size need not be a multiple of four
    (block $bytes_done
      (loop $bytes
        (br_if $bytes_done (i32.ge_u (local.get $k) (local.get $size)))
        (i32.atomic.store8 (i32.add (local.get $at) (local.get $k)) (i32.const 0))
        (local.set $k (i32.add (local.get $k) (i32.const 1)))
        (br $bytes)))
    (i32.atomic.store offset=%slot.cpu_id% (local.get $at) (i32.const -1))
    (i32.atomic.store offset=%slot.mm_cid% (local.get $at) (local.get $i))
    (if (i32.ge_u (local.get $size) (i32.const %end.slot.thread_id%))
      (then (i32.atomic.store offset=%slot.thread_id% (local.get $at) (i32.const -1)))))

  ;; ---- clause 25
  (func $lower_hint (param $i i32)
    (local $hint i32)
    (if (i32.eqz (call $has_hint)) (then (return)))
    (loop $again
      (local.set $hint (i32.atomic.load offset=%header.slot_hint% (i32.const 0)))
      (if (i32.le_u (local.get $hint) (local.get $i)) (then (return)))
      (br_if $again
        (i32.ne
          (i32.atomic.rmw.cmpxchg offset=%header.slot_hint% (i32.const 0) (local.get $hint) (local.get $i))
          (local.get $hint)))))

  (func $raise_hint (param $from i32) (param $i i32)
    (if (i32.eqz (call $has_hint)) (then (return)))
    (if (i32.ne
          (i32.atomic.rmw.cmpxchg offset=%header.slot_hint% (i32.const 0)
            (local.get $from) (i32.add (local.get $i) (i32.const 1)))
          (local.get $from))
      (then (return)))
    ;; whoever freed a skipped slot before the CAS lowered a hint that was low already: look again
    (block $done
      (loop $skipped
        (br_if $done (i32.ge_u (local.get $from) (local.get $i)))
        (if (i64.eqz (i64.atomic.load offset=%slot.owner% (call $slot (local.get $from))))
          (then (call $lower_hint (local.get $from)) (return)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $skipped))))

  ;; ---- clause 23: the slot is held as -id; make it id's, under a new generation
  (func $prepare (param $at i32) (param $i i32) (param $id i64) (param $thread i32) (result i32)
    (local $generation i32) (local $held i64)
    (call $reset (local.get $at) (local.get $i))
    (local.set $generation
      (i32.add (i32.atomic.load offset=%slot.generation% (local.get $at)) (i32.const 1)))
    (i32.atomic.store offset=%slot.generation% (local.get $at)
      (select (local.get $generation) (i32.const 1) (local.get $generation)))
    (if (i32.ge_u (i32.atomic.load offset=%header.feature_size% (i32.const 0)) (i32.const %end.slot.thread_id%))
      (then (i32.atomic.store offset=%slot.thread_id% (local.get $at) (local.get $thread))))
    (local.set $held (i64.sub (i64.const 0) (local.get $id)))
    (i64.eq
      (i64.atomic.rmw.cmpxchg offset=%slot.owner% (local.get $at) (local.get $held) (local.get $id))
      (local.get $held)))

  ;; ---- clause 24: below high water, the owner words +id and -id
  (func $leftover (param $id i64) (param $from i32) (result i32)
    (local $end i32) (local $owner i64)
    (local.set $end (call $high_water))
    (loop $next
      (if (i32.ge_u (local.get $from) (local.get $end)) (then (return (i32.const -1))))
      (local.set $owner (i64.atomic.load offset=%slot.owner% (call $slot (local.get $from))))
      (if (i32.or
            (i64.eq (local.get $owner) (local.get $id))
            (i64.eq (local.get $owner) (i64.sub (i64.const 0) (local.get $id))))
        (then (return (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br $next))
    (unreachable))

  (func $claim_between (param $from i32) (param $to i32) (param $hint i32) (param $id i64) (param $thread i32) (result i32)
    (local $at i32) (local $water i32)
    (loop $next
      (if (i32.ge_u (local.get $from) (local.get $to)) (then (return (i32.const -1))))
      (local.set $at (call $slot (local.get $from)))
      (if (i64.eqz (i64.atomic.load offset=%slot.owner% (local.get $at)))
        (then
          ;; high water first: a claimed slot is never above it
          (block $raised
            (loop $raise
              (local.set $water (i32.atomic.load offset=%header.slot_high_water% (i32.const 0)))
              (br_if $raised (i32.gt_u (local.get $water) (local.get $from)))
              (br_if $raise
                (i32.ne
                  (i32.atomic.rmw.cmpxchg offset=%header.slot_high_water% (i32.const 0)
                    (local.get $water) (i32.add (local.get $from) (i32.const 1)))
                  (local.get $water)))))
          (if (i64.eqz
                (i64.atomic.rmw.cmpxchg offset=%slot.owner% (local.get $at)
                  (i64.const 0) (i64.sub (i64.const 0) (local.get $id))))
            (then
              (if (call $prepare (local.get $at) (local.get $from) (local.get $id) (local.get $thread))
                (then
                  (if (i32.ge_u (local.get $from) (local.get $hint))
                    (then (call $raise_hint (local.get $hint) (local.get $from))))
                  (return (local.get $from))))))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br $next))
    (unreachable))

  (func (export "claim") (param $low i32) (param $high i32) (param $thread i32) (param $leftovers i32) (result i32)
    (local $id i64) (local $hint i32) (local $capacity i32) (local $i i32) (local $at i32) (local $owner i64)
    (local.set $id (call $id (local.get $low) (local.get $high)))
    (if (local.get $leftovers)
      (then
        (local.set $i (call $leftover (local.get $id) (i32.const 0)))
        (if (i32.ge_s (local.get $i) (i32.const 0))
          (then
            (local.set $at (call $slot (local.get $i)))
            (i64.atomic.store offset=%slot.owner% (local.get $at) (i64.sub (i64.const 0) (local.get $id)))
            (if (call $prepare (local.get $at) (local.get $i) (local.get $id) (local.get $thread))
              (then (return (local.get $i))))))))
    (local.set $capacity (i32.atomic.load offset=%header.slot_capacity% (i32.const 0)))
    (if (call $has_hint)
      (then (local.set $hint (i32.atomic.load offset=%header.slot_hint% (i32.const 0)))))
    (if (i32.gt_u (local.get $hint) (local.get $capacity)) (then (local.set $hint (local.get $capacity))))
    (local.set $i
      (call $claim_between (local.get $hint) (local.get $capacity) (local.get $hint) (local.get $id) (local.get $thread)))
    (if (i32.ge_s (local.get $i) (i32.const 0)) (then (return (local.get $i))))
    (call $claim_between (i32.const 0) (local.get $hint) (local.get $hint) (local.get $id) (local.get $thread)))

  ;; ---- clause 27: count is 1, or 0 for a permanent owner (clause 29)
  (func (export "first") (param $at i32) (param $cpu i32) (param $count i32) (result i32)
    (i32.atomic.store offset=%slot.refcount% (local.get $at) (local.get $count))
    (i32.atomic.store offset=%slot.cpu_id_start% (local.get $at) (local.get $cpu))
    (i32.eq
      (i32.atomic.rmw.cmpxchg offset=%slot.cpu_id% (local.get $at) (i32.const -1) (local.get $cpu))
      (i32.const -1)))

  ;; Nobody but this thread writes its live slot's refcount, and nothing runs in this thread during the call, so ordinary
  ;; accesses do: an aligned 32-bit store is seen whole by the atomic loads of others, and "last" orders it before what ends it.
  (func (export "up") (param $at i32) (result i32)
    (local $count i32)
    (local.set $count (i32.load offset=%slot.refcount% (local.get $at)))
    (if (i32.eq (local.get $count) (i32.const -1)) (then (return (i32.const 0))))
    (i32.store offset=%slot.refcount% (local.get $at) (i32.add (local.get $count) (i32.const 1)))
    (i32.const 1))

  (func (export "down") (param $at i32) (result i32)
    (local $count i32)
    (local.set $count (i32.load offset=%slot.refcount% (local.get $at)))
    (if (i32.le_u (local.get $count) (i32.const 1)) (then (return (i32.const 0))))
    (i32.store offset=%slot.refcount% (local.get $at) (i32.sub (local.get $count) (i32.const 1)))
    (i32.const 1))

  (func $release (export "release") (param $at i32) (param $i i32) (param $low i32) (param $high i32) (result i32)
    (local $owner i64)
    (local.set $owner (call $id (local.get $low) (local.get $high)))
    (if (i64.ne
          (i64.atomic.rmw.cmpxchg offset=%slot.owner% (local.get $at) (local.get $owner) (i64.const 0))
          (local.get $owner))
      (then (return (i32.const 0))))
    (call $lower_hint (local.get $i))
    (i32.const 1))

  (func (export "last") (param $at i32) (param $i i32) (param $low i32) (param $high i32)
    (i32.atomic.store offset=%slot.cpu_id% (local.get $at) (i32.const -1))
    (i32.atomic.store offset=%slot.cpu_id_start% (local.get $at) (i32.const 0))
    (i32.atomic.store offset=%slot.refcount% (local.get $at) (i32.const 0))
    (drop (call $release (local.get $at) (local.get $i) (local.get $low) (local.get $high))))

  ;; ---- clause 24, for a thread that has no slot yet: free what a dead thread with this identity left
  (func (export "drop_leftovers") (param $low i32) (param $high i32)
    (local $id i64) (local $i i32)
    (local.set $id (call $id (local.get $low) (local.get $high)))
    (loop $next
      (local.set $i (call $leftover (local.get $id) (local.get $i)))
      (if (i32.lt_s (local.get $i) (i32.const 0)) (then (return)))
      (i64.atomic.store offset=%slot.owner% (call $slot (local.get $i)) (i64.const 0))
      (call $lower_hint (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))

  ;; ---- clause 34: range is 0 for none, else the header word that says how much is taken. 0 lost, 1 done, 2 no room
  (func (export "create_entry")
    (param $at i32) (param $was_low i32) (param $was_high i32) (param $low i32) (param $high i32)
    (param $kind i32) (param $version i32) (param $size i32) (param $flags i32)
    (param $used i32) (param $base i32) (param $limit i32) (param $length i32)
    (param $n0 i32) (param $n1 i32) (param $n2 i32) (param $n3 i32) (param $n4 i32)
    (param $n5 i32) (param $n6 i32) (param $n7 i32) (param $n8 i32) (param $n9 i32)
    (param $n10 i32) (param $n11 i32) (param $n12 i32) (param $n13 i32) (param $n14 i32)
    (param $n15 i32) (param $n16 i32) (param $n17 i32) (param $n18 i32) (param $n19 i32)
    (result i32)
    (local $was i64) (local $taken i32) (local $rounded i32)
    (local.set $was (call $id (local.get $was_low) (local.get $was_high)))
    (if (i64.ne
          (i64.atomic.rmw.cmpxchg offset=%entry.creator% (local.get $at)
            (local.get $was) (call $id (local.get $low) (local.get $high)))
          (local.get $was))
      (then (return (i32.const 0))))
    (i32.atomic.store offset=%entry.state% (local.get $at) (i32.const %entry_creating%))
    (if (local.get $used)
      (then
        (local.set $rounded
          (i32.and (i32.add (local.get $size) (i32.const %range_align_less_one%)) (i32.const %range_align_mask%)))
        (loop $again
          (local.set $taken (i32.atomic.load (local.get $used)))
          (if (i32.or
                (i32.gt_u (local.get $taken) (local.get $limit))
                (i32.gt_u (local.get $rounded) (i32.sub (local.get $limit) (local.get $taken))))
            (then
              (i32.atomic.store offset=%entry.state% (local.get $at) (i32.const %entry_free%))
              (i64.atomic.store offset=%entry.creator% (local.get $at) (i64.const 0))
              (drop (memory.atomic.notify offset=%entry.state% (local.get $at) (i32.const -1)))
              (return (i32.const 2))))
          (br_if $again
            (i32.ne
              (i32.atomic.rmw.cmpxchg (local.get $used)
                (local.get $taken) (i32.add (local.get $taken) (local.get $rounded)))
              (local.get $taken))))
        (local.set $taken (i32.add (local.get $taken) (local.get $base)))))
    (i32.atomic.store offset=%entry.kind% (local.get $at) (local.get $kind))
    (i32.atomic.store offset=%entry.version% (local.get $at) (local.get $version))
    (i32.atomic.store offset=%entry.size% (local.get $at) (local.get $size))
    (i32.atomic.store offset=%entry.offset% (local.get $at) (local.get $taken))
    (i32.atomic.store offset=%entry.flags% (local.get $at) (local.get $flags))
    (i32.atomic.store offset=%entry.name_length% (local.get $at) (local.get $length))
    %store_name_words%
    (i32.atomic.store offset=%entry.state% (local.get $at) (i32.const %entry_ready%))
    (drop (memory.atomic.notify offset=%entry.state% (local.get $at) (i32.const -1)))
    (i32.const 1))

  ;; ---- clause 39: the sum of one 64-bit word of every block below high water
  (func (export "sum") (param $offset i32) (result i64)
    (local $at i32) (local $stride i32) (local $left i32) (local $sum i64)
    (local.set $at
      (i32.add (local.get $offset) (i32.atomic.load offset=%header.block_offset% (i32.const 0))))
    (local.set $stride (i32.atomic.load offset=%header.block_stride% (i32.const 0)))
    (local.set $left (call $high_water))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $sum (i64.add (local.get $sum) (i64.atomic.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (local.get $stride)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (local.get $sum)))
