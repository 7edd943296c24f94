;; The pool of docs/ABI.md (clause 57): taking and giving back an item, one call each, without a call or a loop, so that
;; nothing interrupts them here; and filling and checking the item in all shards, which only its owner does.
;; src/wasm/pool-twin.ts is the same in JavaScript. "at" is the byte offset of the pool.
(module
  (import "area" "memory" (memory 1 65536 shared))

  ;; the identity of the thread that this instance belongs to
  (global $self (mut i64) (i64.const 0))
  (func (export "become") (param $low i32) (param $high i32)
    (global.set $self
      (i64.or
        (i64.extend_i32_u (local.get $low))
        (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)))))

  ;; The item's index, or a POOL_ value. "held": the lock is this thread's already.
  (func (export "allocate") (param $at i32) (param $held i32) (result i32)
    (local $result i32) (local $row i32) (local $head i32) (local $token i32)
    (if (i32.eqz (local.get $held))
      (then
        (if (i64.ne
              (i64.atomic.rmw.cmpxchg offset=%pool.owner% (local.get $at) (i64.const 0) (global.get $self))
              (i64.const 0))
          (then (return (i32.const %pool_busy%))))
        (local.set $token
          (i32.and (i32.add (i32.load offset=%pool.token% (local.get $at)) (i32.const 1)) (i32.const 0x7fffffff)))
        (i32.store offset=%pool.token% (local.get $at) (select (local.get $token) (i32.const 1) (local.get $token)))))
    (block $end
      (local.set $result (i32.const %pool_gone%))
      (br_if $end (i32.atomic.load offset=%pool.destroyed% (local.get $at)))
      (local.set $head (i32.load offset=%pool.free% (local.get $at)))
      (if (local.get $head)
        (then
          (local.set $result (i32.const %pool_corrupt%))
          (br_if $end (i32.gt_u (local.get $head) (i32.load offset=%pool.items% (local.get $at))))
          (local.set $head (i32.sub (local.get $head) (i32.const 1))))
        (else
          (local.set $result (i32.const %pool_empty%))
          (local.set $head (i32.load offset=%pool.fresh% (local.get $at)))
          (br_if $end (i32.ge_u (local.get $head) (i32.load offset=%pool.items% (local.get $at))))))
      (local.set $row
        (i32.add
          (i32.add (local.get $at) (i32.const %pool_bytes%))
          (i32.mul (local.get $head) (i32.const %item_bytes%))))
      (local.set $result (i32.const %pool_corrupt%))
      (br_if $end
        (i32.ne
          (i32.load offset=%item.state% (local.get $row))
          (select (i32.const %item_free%) (i32.const %item_never%) (i32.load offset=%pool.free% (local.get $at)))))
      (local.set $result (local.get $head))
      (i64.store offset=%item.allocated_by% (local.get $row) (global.get $self))
      ;; the state first: the rest is made from it again where a thread stops here. Ordinary stores will do under the lock
      (i32.store offset=%item.state% (local.get $row) (i32.const %item_allocated%))
      (if (i32.load offset=%pool.free% (local.get $at))
        (then (i32.store offset=%pool.free% (local.get $at) (i32.load offset=%item.next% (local.get $row))))
        (else (i32.store offset=%pool.fresh% (local.get $at) (i32.add (local.get $head) (i32.const 1)))))
      (i32.store offset=%pool.allocated% (local.get $at)
        (i32.add (i32.load offset=%pool.allocated% (local.get $at)) (i32.const 1))))
    (if (i32.eqz (local.get $held))
      (then
        (if (i64.ne
              (i64.atomic.rmw.cmpxchg offset=%pool.owner% (local.get $at) (global.get $self) (i64.const 0))
              (global.get $self))
          (then
            (i64.atomic.store offset=%pool.owner% (local.get $at) (i64.const 0))
            (drop (memory.atomic.notify offset=%pool.owner_high% (local.get $at) (i32.const 1)))))))
    (local.get $result))

  ;; 0, or a POOL_ value; the item stays as it is then
  (func (export "free") (param $at i32) (param $held i32) (param $index i32) (result i32)
    (local $result i32) (local $row i32) (local $token i32)
    (if (i32.eqz (local.get $held))
      (then
        (if (i64.ne
              (i64.atomic.rmw.cmpxchg offset=%pool.owner% (local.get $at) (i64.const 0) (global.get $self))
              (i64.const 0))
          (then (return (i32.const %pool_busy%))))
        (local.set $token
          (i32.and (i32.add (i32.load offset=%pool.token% (local.get $at)) (i32.const 1)) (i32.const 0x7fffffff)))
        (i32.store offset=%pool.token% (local.get $at) (select (local.get $token) (i32.const 1) (local.get $token)))))
    (block $end
      (local.set $result (i32.const %pool_gone%))
      (br_if $end (i32.atomic.load offset=%pool.destroyed% (local.get $at)))
      (local.set $row
        (i32.add
          (i32.add (local.get $at) (i32.const %pool_bytes%))
          (i32.mul (local.get $index) (i32.const %item_bytes%))))
      (local.set $result (i32.const %pool_not_allocated%))
      (br_if $end (i32.ne (i32.load offset=%item.state% (local.get $row)) (i32.const %item_allocated%)))
      (local.set $result (i32.const 0))
      (i64.store offset=%item.freed_by% (local.get $row) (global.get $self))
      (i32.store offset=%item.state% (local.get $row) (i32.const %item_free%))
      (i32.store offset=%item.next% (local.get $row) (i32.load offset=%pool.free% (local.get $at)))
      (i32.store offset=%pool.free% (local.get $at) (i32.add (local.get $index) (i32.const 1)))
      (i32.store offset=%pool.allocated% (local.get $at)
        (i32.sub (i32.load offset=%pool.allocated% (local.get $at)) (i32.const 1))))
    (if (i32.eqz (local.get $held))
      (then
        (if (i64.ne
              (i64.atomic.rmw.cmpxchg offset=%pool.owner% (local.get $at) (global.get $self) (i64.const 0))
              (global.get $self))
          (then
            (i64.atomic.store offset=%pool.owner% (local.get $at) (i64.const 0))
            (drop (memory.atomic.notify offset=%pool.owner_high% (local.get $at) (i32.const 1)))))))
    (local.get $result))

  ;; the item in so many shards: every byte 0
  (func (export "zero") (param $item i32) (param $bytes i32) (param $stride i32) (param $shards i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $shards)))
        (memory.fill (local.get $item) (i32.const 0) (local.get $bytes))
        (local.set $item (i32.add (local.get $item) (local.get $stride)))
        (local.set $shards (i32.sub (local.get $shards) (i32.const 1)))
        (br $next))))

  ;; every 32-bit word of one item in one shard: this pattern
  (func (export "fill") (param $item i32) (param $bytes i32) (param $pattern i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $item) (local.get $bytes)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $item) (local.get $end)))
        (i32.store (local.get $item) (local.get $pattern))
        (local.set $item (i32.add (local.get $item) (i32.const 4)))
        (br $next))))

  ;; byte offset of the first word of one item in one shard that is not this pattern, or -1
  (func (export "differs") (param $item i32) (param $bytes i32) (param $pattern i32) (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $item) (local.get $bytes)))
    (loop $next
      (if (i32.ge_u (local.get $item) (local.get $end)) (then (return (i32.const -1))))
      (if (i32.ne (i32.load (local.get $item)) (local.get $pattern)) (then (return (local.get $item))))
      (local.set $item (i32.add (local.get $item) (i32.const 4)))
      (br $next))
    (unreachable)))
