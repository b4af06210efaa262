/** Every method on the f32 cases, on the CUDA device, against the float64 recurrence. */
import { testOnCuda } from "./cuda.ts";

await testOnCuda("f32");
