// One row of a layout table: where a field lies, how wide it is and since which ABI version it exists.
// docs/ABI.md holds the same tables in prose; a test compares the two.

export type FieldType = 'u32' | 'i32' | 'u64' | 'i64' | 'u8[80]' | 'u8[32]';

export interface Field {
  readonly offset: number;
  readonly size: number;
  readonly type: FieldType;
  readonly since: 1;
}

export const u32 = (offset: number): Field => ({ offset, size: 4, type: 'u32', since: 1 });
export const i32 = (offset: number): Field => ({ offset, size: 4, type: 'i32', since: 1 });
export const u64 = (offset: number): Field => ({ offset, size: 8, type: 'u64', since: 1 });
export const i64 = (offset: number): Field => ({ offset, size: 8, type: 'i64', since: 1 });

/** First byte behind a field: the value a feature size must reach for the field to exist (clause 13). */
export const endOf = (field: Field): number => field.offset + field.size;

/** Index of a 32-bit field in an Int32Array or Uint32Array over the struct. */
export const word = (field: Field): number => field.offset >>> 2;
