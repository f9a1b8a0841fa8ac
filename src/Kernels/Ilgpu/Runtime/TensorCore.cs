using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Types;
using ILGPU.IR.Values;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// Instructions of NVIDIA GPUs from compute capability 8.0 on for products of dense matrices: TF32 tensor cores, and copies from
/// global to shared memory that need no registers and do not make the thread wait.
/// </summary>
/// <remarks>
/// Each method is one PTX instruction, generated in place of the call; its body is what ILGPU's simulation runs. ILGPU's own
/// <c>CudaAsm.Emit</c> would pass results through local memory, and throws where there is no GPU.
/// </remarks>
internal static class TensorCore
{
    private const BindingFlags Flags = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>The row of A and of the sums, and the column of B, that a lane's first elements belong to.</summary>
    public static int GroupOf(int lane) => lane >> 2;

    /// <summary>The term of A and of B that a lane's first elements belong to; twice it is the column of its first sum.</summary>
    public static int MemberOf(int lane) => lane & 3;

    /// <summary>Makes the instructions known to a context.</summary>
    public static Context.Builder EnableTensorCore(this Context.Builder builder)
    {
        Register(nameof(MultiplyAdd), nameof(GenerateMultiplyAdd));
        Register(nameof(CopyAsync), nameof(GenerateCopyAsync));
        Register(nameof(CommitCopies), nameof(GenerateCommitCopies));
        Register(nameof(WaitForAllButTheLastCopies), nameof(GenerateWait));
        return builder;

        void Register(string method, string generator) => builder.GetIntrinsicManager().RegisterMethod(
            typeof(TensorCore).GetMethod(method, Flags)!,
            new PTXIntrinsic(typeof(TensorCore).GetMethod(generator, Flags)!, IntrinsicImplementationMode.GenerateCode));
    }

    /// <summary>
    /// Sums + A·B for a warp of 32: 16×8 sums + 16×8 times 8×8, spread over the lanes' registers as the PTX ISA defines for
    /// <c>mma.sync.aligned.m16n8k8</c>.
    /// </summary>
    /// <param name="sums">With g and t of the lane: (g, 2t), (g, 2t + 1), (g + 8, 2t) and (g + 8, 2t + 1).</param>
    /// <param name="a0">(g, t), rounded by <see cref="Round"/>, as bits; the same for all that follow.</param>
    /// <param name="a1">(g + 8, t).</param>
    /// <param name="a2">(g, t + 4).</param>
    /// <param name="a3">(g + 8, t + 4).</param>
    /// <param name="b0">(t, g).</param>
    /// <param name="b1">(t + 4, g).</param>
    [IntrinsicImplementation]
    public static Float4 MultiplyAdd(Float4 sums, int a0, int a1, int a2, int a3, int b0, int b1)
    {
        var group = GroupOf(Warp.LaneIdx);
        var member = MemberOf(Warp.LaneIdx);
        for (var term = 0; term < 4; term++)
        {
            var row = (4 * group) + term;
            var column = (8 * member) + term;
            var (upper0, lower0, upper1, lower1) = (Shuffle(a0, row), Shuffle(a1, row), Shuffle(a2, row), Shuffle(a3, row));
            var (left0, left1) = (Shuffle(b0, column), Shuffle(b1, column));
            var (right0, right1) = (Shuffle(b0, column + 4), Shuffle(b1, column + 4));
            sums = new(
                sums.X + (upper0 * left0) + (upper1 * left1),
                sums.Y + (upper0 * right0) + (upper1 * right1),
                sums.Z + (lower0 * left0) + (lower1 * left1),
                sums.W + (lower0 * right0) + (lower1 * right1));
        }

        return sums;
    }

    /// <summary>The bits of the nearest number with a mantissa of 10 bits; a tie goes away from 0, as by <c>cvt.rna.tf32.f32</c>.</summary>
    /// <remarks>
    /// Denormal numbers are truncated instead, an error below 2⁻¹³⁶.
    /// NVIDIA's assembler makes two machine instructions of <c>cvt.rna.tf32.f32</c>, and two of this: it leaves out the last, since the
    /// tensor cores ignore the bits themselves. But that one rounds in place, and most operands would have to be moved afterwards. So would
    /// they with <c>cvt.rn.tf32.f32</c>, one instruction from compute capability 9.0 on.
    /// </remarks>
    public static int Round(float value)
    {
        // Half a unit of the last bit that is kept, added in float32, so that a NaN and an infinity stay what they are.
        const int Exponent = unchecked((int)0xFF800000);
        const float HalfUnit = 1f / (1 << 11);
        var power = Interop.IntAsFloat((uint)((int)Interop.FloatAsInt(value) & Exponent));
        return (int)Interop.FloatAsInt(value + (HalfUnit * power)) & ~0x1FFF;
    }

    /// <summary>
    /// Starts a copy of 16 bytes from global to shared memory, or writes zeros there. The thread may read them after
    /// <see cref="WaitForAllButTheLastCopies"/>, other threads after a barrier that follows.
    /// </summary>
    /// <param name="shared">What is written, an element of shared memory.</param>
    /// <param name="source">What is read, an element of global memory.</param>
    /// <param name="bytes">16, or 0 to write zeros, in which case nothing is read.</param>
    [IntrinsicImplementation]
    public static void CopyAsync(ref Float4 shared, ref Float4 source, int bytes)
    {
        if (bytes == 0)
        {
            shared = default;
        }
        else
        {
            shared = source;
        }
    }

    /// <summary>Makes a group of the copies that the thread has started since the last group.</summary>
    [IntrinsicImplementation]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void CommitCopies()
    {
    }

    /// <summary>Waits until all groups of copies but the last are complete.</summary>
    [IntrinsicImplementation]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void WaitForAllButTheLastCopies()
    {
    }

    private static float Shuffle(int bits, int lane) => Interop.IntAsFloat((uint)Warp.Shuffle(bits, lane));

    private static void GenerateMultiplyAdd(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var result = (PTXRegisterAllocator.CompoundRegister)generator.Allocate(value);
        var sums = generator.LoadAs<PTXRegisterAllocator.CompoundRegister>(call[0]);
        using var command = generator.BeginCommand("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32");
        command.AppendVectorArgument(Registers(result));
        command.AppendVectorArgument([.. Enumerable.Range(1, 4).Select(i => generator.LoadPrimitive(call[i]))]);
        command.AppendVectorArgument([generator.LoadPrimitive(call[5]), generator.LoadPrimitive(call[6])]);
        command.AppendVectorArgument(Registers(sums));
    }

    private static void GenerateCopyAsync(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var shared = Address(generator, call[0], MemoryAddressSpace.Shared);
        var source = Address(generator, call[1], MemoryAddressSpace.Global);
        using var command = generator.BeginCommand("cp.async.cg.shared.global");
        command.AppendArgumentValue(shared);
        command.AppendArgumentValue(source);
        command.AppendConstant(16);
        command.AppendArgument(generator.LoadPrimitive(call[2]));
    }

    private static void GenerateCommitCopies(PTXBackend backend, PTXCodeGenerator generator, Value value) =>
        generator.Command("cp.async.commit_group");

    private static void GenerateWait(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        using var command = generator.BeginCommand("cp.async.wait_group");
        command.AppendConstant(1);
    }

    private static PTXRegisterAllocator.HardwareRegister Address(PTXCodeGenerator generator, Value reference, MemoryAddressSpace space) =>
        ((AddressSpaceType)reference.Type).AddressSpace == space
            ? generator.LoadHardware(reference)
            : throw new NotSupportedException($"a copy's address is not known to be in {space} memory, but {reference.Type}");

    private static PTXRegisterAllocator.PrimitiveRegister[] Registers(PTXRegisterAllocator.CompoundRegister register) =>
        register.SliceAs<PTXRegisterAllocator.PrimitiveRegister>(0, register.NumChildren);
}
