;; The fast paths of locks (docs/ABI.md, clauses 42 to 51), one call each; what waits is JavaScript (src/sync). None has a call
;; or a loop between its effects, so nothing interrupts it half-way.
;; src/wasm/sync-twin.ts is the same in JavaScript. "at" is the byte offset of an object, "row" of a row of its holders.
(module
  (import "area" "memory" (memory 1 65536 shared))

  ;; the identity of the thread that this instance belongs to
  (global $self (mut i64) (i64.const 0))
  (func (export "become") (param $low i32) (param $high i32)
    (global.set $self
      (i64.or
        (i64.extend_i32_u (local.get $low))
        (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)))))

  ;; ---- clause 42: the token is the owner's alone, so ordinary accesses do. Never 0, and bit 31 clear
  (func $lock (export "lock") (param $at i32) (result i32)
    (local $token i32)
    (if (i64.ne
          (i64.atomic.rmw.cmpxchg offset=%lock.owner% (local.get $at) (i64.const 0) (global.get $self))
          (i64.const 0))
      (then (return (i32.const 0))))
    (local.set $token
      (i32.and (i32.add (i32.load offset=%lock.token% (local.get $at)) (i32.const 1)) (i32.const 0x7fffffff)))
    (local.set $token (select (local.get $token) (i32.const 1) (local.get $token)))
    (i32.store offset=%lock.token% (local.get $at) (local.get $token))
    (local.get $token))

  ;; the same, trying so many times
  (func (export "spin_lock") (param $at i32) (param $times i32) (result i32)
    (local $token i32)
    (loop $again
      (if (i32.eqz (local.get $times)) (then (return (i32.const 0))))
      ;; a look costs less than a failed CAS, and leaves the line where it is
      (if (i64.eqz (i64.atomic.load offset=%lock.owner% (local.get $at)))
        (then
          (local.set $token (call $lock (local.get $at)))
          (if (local.get $token) (then (return (local.get $token))))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br $again))
    (unreachable))

  ;; ---- clause 42: 0 unlocked, 1 another token, 2 to be looked at: not the owner, or an owner died
  (func (export "unlock") (param $at i32) (param $token i32) (param $wake i32) (result i32)
    (local $seen i64) (local $held i32)
    (local.set $held (i32.load offset=%lock.token% (local.get $at)))
    (if (i32.ne (local.get $held) (local.get $token))
      ;; token 0 is whoever holds it, unless a guard of an asynchronous flow does
      (then (if (i32.or (local.get $token) (i32.lt_s (local.get $held) (i32.const 0))) (then (return (i32.const 1))))))
    (local.set $seen
      (i64.atomic.rmw.cmpxchg offset=%lock.owner% (local.get $at) (global.get $self) (i64.const 0)))
    (if (i64.eq (local.get $seen) (global.get $self)) (then (return (i32.const 0))))
    (if (i64.ne (local.get $seen) (i64.or (global.get $self) (i64.const %waiters%))) (then (return (i32.const 2))))
    (i64.atomic.store offset=%lock.owner% (local.get $at) (i64.const 0))
    (drop (memory.atomic.notify offset=%lock.owner_high% (local.get $at) (local.get $wake)))
    (i32.const 0))

  ;; ---- clause 49: the count first, then the look at the owner word; a writer does the two in the other order
  (func (export "read_lock") (param $at i32) (param $row i32) (result i32)
    (local $count i32)
    (local.set $count (i32.load offset=%holder.count% (local.get $row)))
    (if (i32.gt_s (local.get $count) (i32.const 0))
      (then
        (i32.store offset=%holder.count% (local.get $row) (i32.add (local.get $count) (i32.const 1)))
        (return (i32.const 1))))
    (i32.atomic.store offset=%holder.count% (local.get $row) (i32.const %undecided%))
    (if (i64.eqz (i64.atomic.load offset=%lock.owner% (local.get $at)))
      (then (i32.store offset=%holder.count% (local.get $row) (i32.const 1)) (return (i32.const 1))))
    (i32.atomic.store offset=%holder.count% (local.get $row) (i32.const 0))
    (drop (memory.atomic.notify offset=%holder.count% (local.get $row) (i32.const -1)))
    (i32.const 0))

  (func (export "read_unlock") (param $at i32) (param $row i32) (result i32)
    (local $count i32)
    (local.set $count (i32.load offset=%holder.count% (local.get $row)))
    (if (i32.le_s (local.get $count) (i32.const 0)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $count) (i32.const 1))
      (then
        (i32.store offset=%holder.count% (local.get $row) (i32.sub (local.get $count) (i32.const 1)))
        (return (i32.const 1))))
    (i32.atomic.store offset=%holder.count% (local.get $row) (i32.const 0))
    (if (i64.ne (i64.atomic.load offset=%lock.owner% (local.get $at)) (i64.const 0))
      (then (drop (memory.atomic.notify offset=%holder.count% (local.get $row) (i32.const -1)))))
    (i32.const 1))

  ;; ---- clause 49: the first row from "from" on whose count is not 0, or -1
  (func (export "next_reader") (param $at i32) (param $from i32) (result i32)
    (local $end i32) (local $row i32)
    (local.set $end (i32.atomic.load offset=%rwlock.holders_used% (local.get $at)))
    (local.set $row
      (i32.add
        (i32.add (local.get $at) (i32.const %holders_offset%))
        (i32.mul (local.get $from) (i32.const %holder_bytes%))))
    (loop $next
      (if (i32.ge_u (local.get $from) (local.get $end)) (then (return (i32.const -1))))
      (if (i32.atomic.load offset=%holder.count% (local.get $row)) (then (return (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $row (i32.add (local.get $row) (i32.const %holder_bytes%)))
      (br $next))
    (unreachable))

  ;; ---- clause 47: a wake that was meant counts before anybody can see it, and never more of them than there are waiters
  (func (export "signal") (param $at i32) (param $wake i32)
    (local $waiters i32) (local $pending i32)
    (local.set $waiters (i32.atomic.load offset=%condvar.waiters% (local.get $at)))
    (if (i32.eqz (local.get $waiters)) (then (return)))
    (local.set $pending
      (i32.sub
        (i32.atomic.load offset=%condvar.wakes% (local.get $at))
        (i32.atomic.load offset=%condvar.taken% (local.get $at))))
    (if (i32.lt_u (local.get $pending) (local.get $waiters))
      (then
        (local.set $waiters (i32.sub (local.get $waiters) (local.get $pending)))
        (drop
          (i32.atomic.rmw.add offset=%condvar.wakes% (local.get $at)
            (select (local.get $wake) (local.get $waiters) (i32.lt_u (local.get $wake) (local.get $waiters)))))))
    (drop (i32.atomic.rmw.add offset=%condvar.sequence% (local.get $at) (i32.const 1)))
    (drop (memory.atomic.notify offset=%condvar.sequence% (local.get $at) (local.get $wake))))

  ;; Looks at a 32-bit word until it is another, so many times: how many looks were left, 0 where it stayed.
  (func (export "spin") (param $at i32) (param $value i32) (param $times i32) (result i32)
    (loop $again
      (if (i32.eqz (local.get $times)) (then (return (i32.const 0))))
      (if (i32.ne (i32.atomic.load (local.get $at)) (local.get $value)) (then (return (local.get $times))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br $again))
    (unreachable)))
