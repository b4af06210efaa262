/** Every method on the bf16 cases, on the CUDA device, against the float64 recurrence. */
import { testOnCuda } from "./cuda.ts";

await testOnCuda("bf16");
