;; What a ring's writer does (docs/ABI.md, clause 60), one call each. Nothing interrupts `commit` and `drop` half-way; every prefix
;; of `make_room` is whole by itself. src/wasm/ring-twin.ts is the same in JavaScript. "at" is the byte offset of a ring.
(module
  (import "area" "memory" (memory 1 65536 shared))

  ;; Positions as doubles, since a BigInt would be allocated: exact below 2^57, being multiples of 16.
  (func (export "head") (param $at i32) (result f64)
    (f64.convert_i64_u (i64.atomic.load offset=%ring.head% (local.get $at))))

  ;; The owner's, where it may overwrite: head past the oldest records until there is room for so many bytes. The new head.
  (func (export "make_room") (param $at i32) (param $capacity i32) (param $need i32) (result f64)
    (local $head i64) (local $tail i64) (local $place i32) (local $length i32) (local $next i64)
    ;; its own word
    (local.set $tail (i64.load offset=%ring.tail% (local.get $at)))
    (loop $again
      (local.set $head (i64.atomic.load offset=%ring.head% (local.get $at)))
      (if (i64.le_u
            (i64.sub (i64.add (local.get $tail) (i64.extend_i32_u (local.get $need))) (local.get $head))
            (i64.extend_i32_u (local.get $capacity)))
        (then (return (f64.convert_i64_u (local.get $head)))))
      (local.set $place
        (i32.and (i32.wrap_i64 (local.get $head)) (i32.sub (local.get $capacity) (i32.const 1))))
      (local.set $length (i32.load offset=%ring_bytes% (i32.add (local.get $at) (local.get $place))))
      (local.set $next
        (i64.add
          (local.get $head)
          (if (result i64) (i32.eq (local.get $length) (i32.const %record_pad%))
            (then (i64.extend_i32_u (i32.sub (local.get $capacity) (local.get $place))))
            (else
              (i64.and
                (i64.add (i64.extend_i32_u (local.get $length)) (i64.const %record_round%))
                (i64.const %record_mask%))))))
      ;; no such record can be: everything goes
      (if (i64.gt_u (local.get $next) (local.get $tail)) (then (local.set $next (local.get $tail))))
      ;; a drainer may have been faster
      (drop (i64.atomic.rmw.cmpxchg offset=%ring.head% (local.get $at) (local.get $head) (local.get $next)))
      (br $again))
    (unreachable))

  ;; The record's head, then the attempt, then tail past it: what was written before is visible to whoever sees the new tail.
  (func (export "commit") (param $at i32) (param $record i32) (param $length i32) (param $generation i32) (param $bytes i32)
    (local $attempted i64)
    (local.set $attempted (i64.load offset=%ring.attempted% (local.get $at)))
    (i32.store offset=%record.length% (local.get $record) (local.get $length))
    (i32.store offset=%record.generation% (local.get $record) (local.get $generation))
    (i64.store offset=%record.sequence% (local.get $record) (local.get $attempted))
    (i64.store offset=%ring.attempted% (local.get $at) (i64.add (local.get $attempted) (i64.const 1)))
    (i64.atomic.store offset=%ring.tail% (local.get $at)
      (i64.add (i64.load offset=%ring.tail% (local.get $at)) (i64.extend_i32_u (local.get $bytes)))))

  (func (export "drop") (param $at i32)
    (i64.store offset=%ring.attempted% (local.get $at)
      (i64.add (i64.load offset=%ring.attempted% (local.get $at)) (i64.const 1))))

  ;; The first of the rings from "from" on that holds something, or -1; "at" is ring 0, the next one lies "stride" further on.
  (func (export "next_pending") (param $at i32) (param $stride i32) (param $from i32) (param $end i32) (result i32)
    (local.set $at (i32.add (local.get $at) (i32.mul (local.get $stride) (local.get $from))))
    (loop $next
      (if (i32.ge_u (local.get $from) (local.get $end)) (then (return (i32.const -1))))
      (if (i64.ne
            (i64.atomic.load offset=%ring.head% (local.get $at))
            (i64.atomic.load offset=%ring.tail% (local.get $at)))
        (then (return (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (local.get $stride)))
      (br $next))
    (unreachable)))
