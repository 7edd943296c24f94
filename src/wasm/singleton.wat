;; What counting references to a singleton costs (docs/ABI.md, clause 68), one call each. Nothing interrupts `get` half-way;
;; `next_counted` only looks. src/wasm/singleton-twin.ts is the same in JavaScript. "at" is the byte offset of the singleton, "row"
;; that of the thread's own row.
(module
  (import "area" "memory" (memory 1 65536 shared))

  ;; The live word that the row now holds one more reference of; 0: none was counted; -1: one was, before the state was seen to be
  ;; another.
  (func (export "get") (param $at i32) (param $row i32) (result i32)
    (local $word i32) (local $count i32)
    (local.set $word (i32.atomic.load offset=%singleton.state% (local.get $at)))
    (if (i32.ne (i32.and (local.get $word) (i32.const %singleton_phase_mask%)) (i32.const %singleton_live%))
      (then (return (i32.const 0))))
    (local.set $count (i32.load offset=%holder.count% (local.get $row)))
    (if (i32.and
          (i32.eq (i32.load offset=%holder.phase% (local.get $row)) (local.get $word))
          (i32.ne (local.get $count) (i32.const 0)))
      (then
        ;; full
        (if (i32.eq (local.get $count) (i32.const -1)) (then (return (i32.const 0))))
        ;; owner-only plain: it counts already, so nobody looks for the change
        (i32.store offset=%holder.count% (local.get $row) (i32.add (local.get $count) (i32.const 1)))
        (return
          (select
            (local.get $word)
            (i32.const -1)
            (i32.eq (i32.atomic.load offset=%singleton.state% (local.get $at)) (local.get $word))))))
    (i32.atomic.store offset=%holder.count% (local.get $row) (i32.const 0))
    (i32.atomic.store offset=%holder.phase% (local.get $row) (local.get $word))
    ;; then the state: whoever leaves LIVE looks at the rows after that, so one of the two sees the other
    (i32.atomic.store offset=%holder.count% (local.get $row) (i32.const 1))
    (select
      (local.get $word)
      (i32.const -1)
      (i32.eq (i32.atomic.load offset=%singleton.state% (local.get $at)) (local.get $word))))

  ;; The first row from "from" on that counts for a live word, or is a loan that does; -1 if there is none. Whether its thread
  ;; lives is not asked.
  (func (export "next_counted") (param $at i32) (param $word i32) (param $from i32) (result i32)
    (local $end i32) (local $row i32) (local $phase i32) (local $count i32)
    (local.set $end (i32.atomic.load offset=%singleton.holders_used% (local.get $at)))
    (local.set $row
      (i32.add
        (i32.add (local.get $at) (i32.const %holders_offset%))
        (i32.mul (local.get $from) (i32.const %holder_bytes%))))
    (loop $next
      (if (i32.ge_u (local.get $from) (local.get $end)) (then (return (i32.const -1))))
      (if (i64.gt_s (i64.atomic.load offset=%holder.identity% (local.get $row)) (i64.const 0))
        (then
          (local.set $phase (i32.atomic.load offset=%holder.phase% (local.get $row)))
          (local.set $count (i32.atomic.load offset=%holder.count% (local.get $row)))
          (if (i32.or
                (i32.and
                  (i32.eq (local.get $phase) (local.get $word))
                  (i32.ne (local.get $count) (i32.const 0)))
                (i32.and
                  (i32.lt_s (local.get $phase) (i32.const 0))
                  (i32.eq (local.get $count) (local.get $word))))
            (then (return (local.get $from))))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $row (i32.add (local.get $row) (i32.const %holder_bytes%)))
      (br $next))
    (unreachable)))
