import { KNOBS } from './knobs.ts'
import { LEAVES } from './leaves.ts'
import { PLACES } from './places.ts'
import { ROLES } from './roles.ts'
import type { ShapeChart } from './shape.ts'
import { SPLIT } from './split.ts'
import { UMBRELLA } from './umbrella.ts'

export const SHAPES: readonly ShapeChart[] = [...LEAVES, ...ROLES, ...PLACES, ...KNOBS, ...SPLIT, UMBRELLA]
