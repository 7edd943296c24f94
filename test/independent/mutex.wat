;; A mutex of the contract (docs/ABI.md, clauses 42, 43 and 45), by hand. Whether a thread is dead is the host's to say.
(module
  (import "host" "memory" (memory 1 16 shared))
  (import "host" "dead" (func $dead (param i64) (result i32)))
  (global $self (mut i64) (i64.const 0))
  (func (export "become") (param $identity i64) (global.set $self (local.get $identity)))

  (func $token (param $at i32)
    (local $next i32)
    (local.set $next
      (i32.and (i32.add (i32.load offset=8 (local.get $at)) (i32.const 1)) (i32.const 0x7fffffff)))
    (i32.store offset=8 (local.get $at) (select (local.get $next) (i32.const 1) (local.get $next))))

  (func $identity (param $word i64) (result i64)
    (i64.and (local.get $word) (i64.const 0x3fffffffffffffff)))

  ;; 0 locked, 1 locked by another
  (func (export "try_lock") (param $at i32) (result i32)
    (if (i64.ne (i64.atomic.rmw.cmpxchg (local.get $at) (i64.const 0) (global.get $self)) (i64.const 0))
      (then (return (i32.const 1))))
    (call $token (local.get $at))
    (i32.const 0))

  ;; 0 locked, 1 taken over from a dead owner, 2 not recoverable, 3 held by this thread
  (func (export "lock") (param $at i32) (result i32)
    (local $word i64) (local $waited i64)
    (loop $again
      (local.set $word
        (i64.atomic.rmw.cmpxchg (local.get $at) (i64.const 0) (i64.or (global.get $self) (local.get $waited))))
      (if (i64.eqz (local.get $word))
        (then (call $token (local.get $at)) (return (i32.const 0))))
      (if (i64.eq (local.get $word) (i64.const 0x8000000000000000)) (then (return (i32.const 2))))
      (if (i64.eq (call $identity (local.get $word)) (global.get $self)) (then (return (i32.const 3))))
      (if (i64.eqz (i64.and (local.get $word) (i64.const 0x4000000000000000)))
        (then
          (br_if $again
            (i64.ne
              (i64.atomic.rmw.cmpxchg (local.get $at) (local.get $word)
                (i64.or (local.get $word) (i64.const 0x4000000000000000)))
              (local.get $word)))))
      (local.set $waited (i64.const 0x4000000000000000))
      (drop
        (memory.atomic.wait32 offset=4 (local.get $at)
          (i32.wrap_i64
            (i64.shr_u (i64.or (local.get $word) (i64.const 0x4000000000000000)) (i64.const 32)))
          (i64.const 50000000)))
      (local.set $word (i64.atomic.load (local.get $at)))
      (br_if $again (i64.eqz (call $identity (local.get $word))))
      (br_if $again (i32.eqz (call $dead (call $identity (local.get $word)))))
      (br_if $again
        (i64.ne
          (i64.atomic.rmw.cmpxchg (local.get $at) (local.get $word)
            (i64.or (global.get $self) (i64.const 0xc000000000000000)))
          (local.get $word)))
      (call $token (local.get $at))
      (return (i32.const 1)))
    (unreachable))

  ;; 0 unlocked, 1 not the owner, or another guard's hold
  (func (export "unlock") (param $at i32) (result i32)
    (local $word i64)
    (if (i32.lt_s (i32.load offset=8 (local.get $at)) (i32.const 0)) (then (return (i32.const 1))))
    (local.set $word (i64.atomic.rmw.cmpxchg (local.get $at) (global.get $self) (i64.const 0)))
    (if (i64.eq (local.get $word) (global.get $self)) (then (return (i32.const 0))))
    (if (i64.ne (call $identity (local.get $word)) (global.get $self)) (then (return (i32.const 1))))
    (if (i64.lt_s (local.get $word) (i64.const 0))
      (then
        (i64.atomic.store (local.get $at) (i64.const 0x8000000000000000))
        (drop (memory.atomic.notify offset=4 (local.get $at) (i32.const -1))))
      (else
        (i64.atomic.store (local.get $at) (i64.const 0))
        (drop (memory.atomic.notify offset=4 (local.get $at) (i32.const 1)))))
    (i32.const 0))

  (func (export "mark_consistent") (param $at i32)
    (drop (i64.atomic.rmw.and (local.get $at) (i64.const 0x7fffffffffffffff)))))
