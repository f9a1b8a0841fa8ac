using System.Reflection;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Values;

namespace MonoLoss.Kernels.Ilgpu;

/// <summary>
/// The TF32 product of NVIDIA's tensor cores (PTX <c>mma.sync.aligned.m16n8k8</c>, compute capability 8.0), for a warp of 32: 16×8 sums +
/// 16×8 times 8×8, spread over the lanes' registers as the PTX ISA lays down.
/// </summary>
/// <remarks>
/// <c>CudaAsm.Emit</c> would bring results back through local memory, so the instruction is generated in place of the method, whose
/// body is what ILGPU's simulation runs.
/// </remarks>
internal static class TensorCore
{
    /// <summary>The row of A and of the sums, and the column of B, that a lane's first elements are of.</summary>
    public static int GroupOf(int lane) => lane >> 2;

    /// <summary>The term of A and of B that a lane's first elements are of; twice it is the column of its first sum.</summary>
    public static int MemberOf(int lane) => lane & 3;

    /// <summary>Makes the instruction known to a context.</summary>
    public static Context.Builder EnableTensorCore(this Context.Builder builder)
    {
        var flags = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        builder.GetIntrinsicManager().RegisterMethod(
            typeof(TensorCore).GetMethod(nameof(MultiplyAdd), flags)!,
            new PTXIntrinsic(typeof(TensorCore).GetMethod(nameof(Generate), flags)!, IntrinsicImplementationMode.GenerateCode));
        return builder;
    }

    /// <summary>Sums + A·B.</summary>
    /// <param name="sums">With g and t of the lane: (g, 2t), (g, 2t + 1), (g + 8, 2t) and (g + 8, 2t + 1).</param>
    /// <param name="a">(g, t), (g + 8, t), (g, t + 4) and (g + 8, t + 4), as bits.</param>
    /// <param name="b0">(t, g).</param>
    /// <param name="b1">(t + 4, g).</param>
    [IntrinsicImplementation]
    public static Float4 MultiplyAdd(Float4 sums, Bits4 a, int b0, int b1)
    {
        var b = new Bits4(b0, b1, 0, 0);
        var group = GroupOf(Warp.LaneIdx);
        var member = MemberOf(Warp.LaneIdx);
        for (var term = 0; term < 4; term++)
        {
            var left = Warp.Shuffle(a, (4 * group) + term);
            var right0 = Warp.Shuffle(b, (8 * member) + term);
            var right1 = Warp.Shuffle(b, (8 * member) + 4 + term);
            sums = new(
                sums.X + Product(left.X, right0.X) + Product(left.Z, right0.Y),
                sums.Y + Product(left.X, right1.X) + Product(left.Z, right1.Y),
                sums.Z + Product(left.Y, right0.X) + Product(left.W, right0.Y),
                sums.W + Product(left.Y, right1.X) + Product(left.W, right1.Y));
        }

        return sums;
    }

    private static float Product(int x, int y) => Interop.IntAsFloat((uint)x) * Interop.IntAsFloat((uint)y);

    private static void Generate(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var result = (PTXRegisterAllocator.CompoundRegister)generator.Allocate(value);
        var sums = generator.LoadAs<PTXRegisterAllocator.CompoundRegister>(call[0]);
        var a = generator.LoadAs<PTXRegisterAllocator.CompoundRegister>(call[1]);
        using var command = generator.BeginCommand("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32");
        command.AppendVectorArgument(Registers(result));
        command.AppendVectorArgument(Registers(a));
        command.AppendVectorArgument([generator.LoadPrimitive(call[2]), generator.LoadPrimitive(call[3])]);
        command.AppendVectorArgument(Registers(sums));
    }

    private static PTXRegisterAllocator.PrimitiveRegister[] Registers(PTXRegisterAllocator.CompoundRegister register) =>
        register.SliceAs<PTXRegisterAllocator.PrimitiveRegister>(0, register.NumChildren);
}
