using System.Runtime.InteropServices;
using PtxInterpreter;

namespace MonoLoss.Tests.Kernels.Ilgpu.Ptx;

/// <summary>Tests the PTX interpreter on programs of a few lines.</summary>
public sealed unsafe class PtxInterpreterTests
{
    private static readonly uint[] Numbers = [.. Enumerable.Range(0, 32).Select(i => (uint)((i * 7) + 3))];

    [Theory]
    [InlineData("add.s32 %r3, %r1, %r2;", 0x7FFFFFFF, 1, 0x80000000)]
    [InlineData("mul.lo.s32 %r3, %r1, %r2;", 0x10001, 0x10001, 0x20001)]
    [InlineData("mul.wide.s32 %rd3, %r1, %r2; shr.u64 %rd3, %rd3, 32; cvt.u32.u64 %r3, %rd3;", 0xFFFFFFFF, 2, 0xFFFFFFFF)]
    [InlineData("mul.wide.u32 %rd3, %r1, %r2; shr.u64 %rd3, %rd3, 32; cvt.u32.u64 %r3, %rd3;", 0xFFFFFFFF, 2, 1)]
    [InlineData("div.s32 %r3, %r1, %r2;", 0xFFFFFFF9, 2, 0xFFFFFFFD)]
    [InlineData("div.u32 %r3, %r1, %r2;", 0xFFFFFFF9, 2, 0x7FFFFFFC)]
    [InlineData("rem.s32 %r3, %r1, %r2;", 0xFFFFFFF9, 4, 0xFFFFFFFD)]
    [InlineData("shr.s32 %r3, %r1, %r2;", 0x80000000, 40, 0xFFFFFFFF)]
    [InlineData("shr.u32 %r3, %r1, %r2;", 0x80000000, 31, 1)]
    [InlineData("shl.b32 %r3, %r1, %r2;", 1, 32, 0)]
    [InlineData("popc.b32 %r3, %r1;", 0xF0F00001, 0, 9)]
    [InlineData("clz.b32 %r3, %r1;", 0x00010000, 0, 15)]
    [InlineData("min.u32 %r3, %r1, %r2;", 0xFFFFFFFF, 1, 1)]
    [InlineData("min.s32 %r3, %r1, %r2;", 0xFFFFFFFF, 1, 0xFFFFFFFF)]
    [InlineData("mov.b32 %f1, %r1; mov.b32 %f2, %r2; min.f32 %f1, %f1, %f2; mov.b32 %r3, %f1;", 0x7FC00000, 0x3F800000, 0x3F800000)]
    [InlineData("mov.b32 %f1, %r1; cvt.rzi.s32.f32 %r3, %f1;", 0xC02CCCCD, 0, 0xFFFFFFFE)]
    [InlineData("mov.b32 %f1, %r1; cvt.rzi.s32.f32 %r3, %f1;", 0x7F800000, 0, 0x7FFFFFFF)]
    [InlineData("mov.b32 %f1, %r1; cvt.rzi.s32.f32 %r3, %f1;", 0x7FC00000, 0, 0)]
    [InlineData("cvt.rn.f32.s32 %f1, %r1; mov.b32 %r3, %f1;", 0x01000001, 0, 0x4B800000)]
    [InlineData("mov.b32 %f1, %r1; rcp.rn.f32 %f1, %f1; mov.b32 %r3, %f1;", 0x40400000, 0, 0x3EAAAAAB)]
    [InlineData("mov.b32 %f1, %r1; cvt.f64.f32 %fd1, %f1; cvt.rn.f32.f64 %f1, %fd1; mov.b32 %r3, %f1;", 0x40400000, 0, 0x40400000)]
    [InlineData("setp.lt.s32 %p1, %r1, %r2; selp.b32 %r3, 5, 6, %p1;", 0xFFFFFFFF, 1, 5)]
    [InlineData("setp.lo.u32 %p1, %r1, %r2; selp.b32 %r3, 5, 6, %p1;", 0xFFFFFFFF, 1, 6)]
    [InlineData("mov.b32 %f1, %r1; setp.ne.f32 %p1, %f1, 0f00000000; selp.b32 %r3, 5, 6, %p1;", 0x7FC00000, 0, 6)]
    [InlineData("mov.b32 %f1, %r1; setp.neu.f32 %p1, %f1, 0f00000000; selp.b32 %r3, 5, 6, %p1;", 0x7FC00000, 0, 5)]
    [InlineData("mov.b32 %f1, %r1; setp.gtu.f32 %p1, %f1, 0f00000000; selp.b32 %r3, 5, 6, %p1;", 0x7FC00000, 0, 5)]
    [InlineData("mov.b32 %f1, %r1; testp.notanumber.f32 %p1, %f1; not.pred %p2, %p1; selp.b32 %r3, 5, 6, %p2;", 0x7FC00000, 0, 6)]
    public void Instruction_computes_what_the_PTX_ISA_says(string instructions, uint a, uint b, uint expected)
    {
        var load = "ld.global.b32 %r1, [%rd1]; ld.global.b32 %r2, [%rd1+4];";
        Assert.Equal(expected, Run($"{load} {instructions} st.global.b32 [%rd1+8], %r3;", [a, b, 0], 1, 1)[2]);
    }

    [Fact]
    public void Lanes_meet_after_a_branch()
    {
        // Odd lanes add 100 and even ones 200; then each reads its neighbour's value, which needs all lanes.
        var result = Run(
            Mine + """
            and.b32 %r3, %r1, 1;
            setp.eq.s32 %p1, %r3, 0;
            @%p1 bra EVEN;
            add.s32 %r2, %r2, 100;
            BACK:
            shfl.sync.bfly.b32 %r4, %r2, 1, 31, 4294967295;
            st.global.b32 [%rd2], %r4;
            ret;
            EVEN:
            add.s32 %r2, %r2, 200;
            bra BACK;
            """,
            Numbers);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => Numbers[i ^ 1] + ((i & 1) == 0 ? 100u : 200u)), result);
    }

    [Fact]
    public void Lanes_leave_a_loop_one_by_one()
    {
        var result = Run(
            Mine + """
            mov.b32 %r3, 0;
            mov.b32 %r4, 0;
            LOOP:
            setp.ge.s32 %p1, %r3, %r1;
            @%p1 bra DONE;
            setp.eq.s32 %p2, %r3, 20;
            @%p2 bra DONE;
            add.s32 %r4, %r4, %r2;
            add.s32 %r3, %r3, 1;
            bra LOOP;
            DONE:
            shfl.sync.idx.b32 %r5, %r4, 31, 31, 4294967295;
            add.s32 %r4, %r4, %r5;
            st.global.b32 [%rd2], %r4;
            """,
            Numbers);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (Numbers[i] * (uint)Math.Min(i, 20)) + (Numbers[31] * 20)), result);
    }

    [Theory]
    [InlineData("up", "3", "0")]
    [InlineData("down", "5", "31")]
    [InlineData("bfly", "9", "31")]
    [InlineData("idx", "6", "31")]
    [InlineData("up", "3", "6144")]
    [InlineData("down", "5", "6175")]
    [InlineData("idx", "6", "6175")]
    public void Shuffle_reads_the_lane_that_the_PTX_ISA_says(string mode, string distance, string clamp)
    {
        var result = Run(
            Mine + $"shfl.sync.{mode}.b32 %r2, %r2, {distance}, {clamp}, 4294967295; st.global.b32 [%rd2], %r2;", Numbers);
        // 6144 is 24 << 8: the warp is four segments of eight.
        var width = int.Parse(clamp) > 31 ? 8 : 32;
        Assert.Equal(Enumerable.Range(0, 32).Select(i => Numbers[From(i)]), result);

        int From(int lane)
        {
            var amount = int.Parse(distance);
            var first = lane / width * width;
            var from = mode switch
            {
                "up" => lane - amount,
                "down" => lane + amount,
                "bfly" => lane ^ amount,
                _ => first + (amount % width),
            };
            return from < first || from >= first + width ? lane : from;
        }
    }

    [Fact]
    public void Warps_exchange_values_across_a_barrier()
    {
        var numbers = Enumerable.Range(0, 64).Select(i => (uint)i * 3).ToArray();
        Assert.Equal(numbers.Reverse(), Run(Exchange("bar.sync 0;"), numbers, 1, 64));
        var fault = Assert.Throws<PtxFault>(() => Run(Exchange(""), numbers, 1, 64));
        Assert.Contains("has not written", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Barrier_counts_the_threads_of_a_predicate()
    {
        var count = "setp.gt.u32 %p1, %r2, 100; bar.red.popc.u32 %r3, 0, %p1; st.global.b32 [%rd2], %r3;";
        var result = Run(Mine + count, [.. Numbers, .. Numbers], 1, 64);
        Assert.All(result, found => Assert.Equal(2 * Numbers.Count(number => number > 100), (int)found));
    }

    [Fact]
    public void Atomic_additions_of_all_groups_add_up()
    {
        var add = "red.add.global.u32 [%rd1], 1; atom.add.global.u32 %r3, [%rd1+4], 2; red.or.global.b32 [%rd1+8], 5;";
        Assert.Equal([7u + 3200, 6400, 7], Run(add, [7, 0, 2], 50, 64));
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 0x33800000)]
    public void Product_and_sum_are_rounded_once_if_contracted(bool contract, uint expected)
    {
        // (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴, which the product by itself rounds away.
        var result = Run(
            """
            ld.global.f32 %f1, [%rd1];
            mul.f32 %f2, %f1, %f1;
            sub.f32 %f3, %f2, 0f3F801000;
            st.global.f32 [%rd1], %f3;
            """,
            [0x3F800800],
            1,
            1,
            contract);
        Assert.Equal(expected, result[0]);
    }

    [Fact]
    public void Mma_multiplies_matrices_in_TF32()
    {
        var random = new Random(2);
        float Next() => (random.Next(-1024, 1024) / 1024f) + (float)(random.NextDouble() * 1e-4);
        var a = Enumerable.Range(0, 16 * 8).Select(_ => Next()).ToArray();
        var b = Enumerable.Range(0, 8 * 8).Select(_ => Next()).ToArray();
        var c = Enumerable.Range(0, 16 * 8).Select(_ => Next()).ToArray();
        var fragments = new uint[32 * 14];
        for (var lane = 0; lane < 32; lane++)
        {
            int g = lane / 4, t = lane % 4;
            float[] values =
            [
                c[(g * 8) + (2 * t)], c[(g * 8) + (2 * t) + 1], c[((g + 8) * 8) + (2 * t)], c[((g + 8) * 8) + (2 * t) + 1],
                a[(g * 8) + t], a[((g + 8) * 8) + t], a[(g * 8) + t + 4], a[((g + 8) * 8) + t + 4],
                b[(t * 8) + g], b[((t + 4) * 8) + g],
            ];
            for (var i = 0; i < values.Length; i++)
            {
                fragments[(lane * 14) + i] = BitConverter.SingleToUInt32Bits(values[i]);
            }
        }

        var loads = string.Join('\n', Enumerable.Range(0, 4).Select(i => $"ld.global.f32 %f{i}, [%rd2+{4 * i}];")
            .Concat(Enumerable.Range(4, 6).Select(i => $"ld.global.b32 %r{i}, [%rd2+{4 * i}];")));
        var result = Run(
            $$"""
            mov.b32 %r1, %laneid;
            mul.wide.u32 %rd2, %r1, 56;
            add.u64 %rd2, %rd1, %rd2;
            {{loads}}
            mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0, %f1, %f2, %f3}, {%r4, %r5, %r6, %r7}, {%r8, %r9}, {%f0, %f1, %f2, %f3};
            st.global.f32 [%rd2+40], %f0;
            st.global.f32 [%rd2+44], %f1;
            st.global.f32 [%rd2+48], %f2;
            st.global.f32 [%rd2+52], %f3;
            """,
            fragments);
        for (var i = 0; i < 16; i++)
        {
            for (var j = 0; j < 8; j++)
            {
                var expected = (double)c[(i * 8) + j];
                for (var term = 0; term < 8; term++)
                {
                    expected += (double)Tf32(a[(i * 8) + term]) * Tf32(b[(term * 8) + j]);
                }

                var actual = BitConverter.UInt32BitsToSingle(result[((((i % 8) * 4) + (j / 2)) * 14) + 10 + (i / 8 * 2) + (j % 2)]);
                Assert.True(Math.Abs(actual - expected) < 1e-6, $"({i}, {j}): {actual} is not {expected}");
            }
        }

        static float Tf32(float value) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFFE000);
    }

    [Theory]
    [InlineData("st.global.b32 [%rd1+260], 1;", "is in no buffer")]
    [InlineData("ld.global.v2.b32 {%r1, %r2}, [%rd1+4];", "is not a multiple of 8 bytes")]
    [InlineData("div.s32 %r2, %r2, 0;", "division by zero")]
    [InlineData("ld.shared.b32 %r2, [%rd3];", "has not written")]
    [InlineData("st.shared.b32 [%rd3+256], 1;", "is in no array")]
    [InlineData("st.shared.b32 [%rd3], %r1;", "two lanes write different values")]
    [InlineData("setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.b32 [%rd3], 1;", "with no barrier between")]
    [InlineData("setp.eq.u32 %p1, %r5, 0; @%p1 st.shared.b32 [%rd3], 1; @%p1 bar.sync 0;", "this lane is not at the barrier")]
    [InlineData("st.global.b32 [%rd1+256], %r6;", "overwrites what group")]
    [InlineData("setp.lt.s32 %p1, %r1, 5; @%p1 bra L; shfl.sync.bfly.b32 %r2, %r2, 1, 31, 4294967295; L:", "this lane is missing")]
    [InlineData("setp.lt.s32 %p1, %r1, 5; @%p1 bra L; bar.sync 0; L:", "this lane is not at the barrier")]
    [InlineData("setp.lt.s32 %p1, %r1, 5; @%p1 bra.uni L; add.s32 %r2, %r2, 1; L:", "not all lanes take it")]
    [InlineData("setp.lt.s32 %p1, %r5, 32; @%p1 bra L; bar.sync 0; L:", "is done")]
    public void Faults_are_found_and_located(string instructions, string message)
    {
        var body = Mine + "mov.b64 %rd3, SHARED; mov.b32 %r5, %tid.x; mov.b32 %r6, %ctaid.x;" + instructions;
        var fault = Assert.Throws<PtxFault>(() => Run(body, [.. Numbers, .. Numbers, 9], 2, 64));
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.Contains("lane", fault.Message, StringComparison.Ordinal);
        Assert.Contains("line", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Asynchronous_copy_arrives_when_its_group_is_waited_for()
    {
        // Four lanes copy 16 bytes each, the last two zeros; the next group is still pending.
        var result = Run(
            Mine + """
            mov.b64 %rd3, SHARED;
            setp.lt.u32 %p1, %r1, 4;
            setp.lt.u32 %p2, %r1, 2;
            selp.b32 %r3, 16, 0, %p2;
            mul.wide.u32 %rd4, %r1, 16;
            add.u64 %rd5, %rd1, %rd4;
            add.u64 %rd4, %rd3, %rd4;
            @%p1 cp.async.cg.shared.global [%rd4], [%rd5], 16, %r3;
            cp.async.commit_group;
            setp.eq.u32 %p3, %r1, 0;
            add.u64 %rd6, %rd3, 128;
            @%p3 cp.async.cg.shared.global [%rd6], [%rd1], 16;
            cp.async.commit_group;
            cp.async.wait_group 1;
            bar.sync 0;
            setp.lt.u32 %p1, %r1, 16;
            mul.wide.u32 %rd4, %r1, 4;
            add.u64 %rd4, %rd3, %rd4;
            @%p1 ld.shared.b32 %r2, [%rd4];
            st.global.b32 [%rd2], %r2;
            cp.async.wait_group 0;
            """,
            Numbers);
        Assert.Equal([.. Numbers.Take(8), .. Enumerable.Repeat(0u, 8), .. Numbers.Skip(16)], result);
    }

    [Theory]
    [InlineData("ld.shared.b32 %r2, [%rd3];", "copies to and has not waited for")]
    [InlineData("bar.sync 0; ld.shared.b32 %r2, [%rd3];", "copies to and has not waited for")]
    [InlineData("cp.async.wait_group 1; bar.sync 0; ld.shared.b32 %r2, [%rd3];", "copies to and has not waited for")]
    [InlineData("st.shared.b32 [%rd3], 1;", "copies to and has not waited for")]
    [InlineData("cp.async.wait_group 0; setp.ne.u32 %p1, %r5, 0; @%p1 ld.shared.b32 %r2, [%rd3];", "with no barrier between")]
    [InlineData("@%p1 cp.async.commit_group;", "does not take part")]
    [InlineData("bar.sync 0;", "ends while copies are under way")]
    public void Use_of_an_asynchronous_copy_before_its_end_is_a_fault(string instructions, string message)
    {
        var body = Mine + """
            mov.b64 %rd3, SHARED;
            mov.b32 %r5, %tid.x;
            setp.eq.u32 %p1, %r5, 0;
            @%p1 cp.async.cg.shared.global [%rd3], [%rd1], 16;
            cp.async.commit_group;
            """ + instructions;
        var fault = Assert.Throws<PtxFault>(() => Run(body, [.. Numbers, .. Numbers], 1, 64));
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("add.s32 %r1, %f1, 1;")]
    [InlineData("add.s32 %r1, %rd1, 1;")]
    [InlineData("cvt.f32.s32 %f1, %r1;")]
    [InlineData("frobnicate.s32 %r1, %r1;")]
    [InlineData("mul.s32 %r1, %r1, 2;")]
    public void Instruction_with_operands_of_wrong_types_is_refused(string instruction)
    {
        var exception = Assert.Throws<NotSupportedException>(() => Run(instruction, Numbers));
        Assert.Contains(instruction[..^1], exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Group_larger_than_declared_is_refused() => Assert.Throws<PtxFault>(() => Run("ret;", Numbers, 1, 96));

    /// <summary>The example of docs/ptx-interpreter.md, with PTX written by NVIDIA's compiler.</summary>
    [Fact]
    public void Kernel_written_by_nvcc_runs()
    {
        var program = PtxProgram.Parse(
            """
            .version 8.0
            .target sm_80
            .address_size 64

            	// .globl	saxpy

            .visible .entry saxpy(
            	.param .u64 saxpy_param_0,
            	.param .u64 saxpy_param_1,
            	.param .f32 saxpy_param_2,
            	.param .u32 saxpy_param_3
            )
            {
            	.reg .pred 	%p<2>;
            	.reg .f32 	%f<5>;
            	.reg .b32 	%r<6>;
            	.reg .b64 	%rd<8>;


            	ld.param.u64 	%rd1, [saxpy_param_0];
            	ld.param.u64 	%rd2, [saxpy_param_1];
            	ld.param.f32 	%f1, [saxpy_param_2];
            	ld.param.u32 	%r2, [saxpy_param_3];
            	mov.u32 	%r3, %ctaid.x;
            	mov.u32 	%r4, %ntid.x;
            	mov.u32 	%r5, %tid.x;
            	mad.lo.s32 	%r1, %r3, %r4, %r5;
            	setp.ge.s32 	%p1, %r1, %r2;
            	@%p1 bra 	$L__BB0_2;

            	cvta.to.global.u64 	%rd3, %rd1;
            	mul.wide.s32 	%rd4, %r1, 4;
            	add.s64 	%rd5, %rd3, %rd4;
            	ld.global.f32 	%f2, [%rd5];
            	cvta.to.global.u64 	%rd6, %rd2;
            	add.s64 	%rd7, %rd6, %rd4;
            	ld.global.f32 	%f3, [%rd7];
            	fma.rn.f32 	%f4, %f2, %f1, %f3;
            	st.global.f32 	[%rd7], %f4;

            $L__BB0_2:
            	ret;

            }
            """,
            contract: true);
        var x = GC.AllocateArray<float>(1000, pinned: true);
        var y = GC.AllocateArray<float>(1000, pinned: true);
        for (var i = 0; i < x.Length; i++)
        {
            (x[i], y[i]) = (i, 1000 - i);
        }

        PtxArguments Arguments(int length) => new PtxArguments(program)
            .AddPointer(Marshal.UnsafeAddrOfPinnedArrayElement(x, 0), sizeof(float) * x.Length)
            .AddPointer(Marshal.UnsafeAddrOfPinnedArrayElement(y, 0), sizeof(float) * y.Length)
            .Add(2f)
            .Add(length);
        var grid = new PtxGrid((8, 1, 1), (128, 1, 1));
        var cost = PtxLaunch.Measure(program, grid, Arguments(x.Length));
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => 1000f + i), y);
        Assert.Equal((8000, 4000, 2000), (cost.BytesRead, cost.BytesWritten, cost.Flops));
        // The arrays may start anywhere in a sector, and so may the parts that the groups use.
        Assert.InRange(cost.SectorBytes, 12000, 12000 + (8 * 3 * 32 * 2));
        Assert.Contains("line 34", Assert.Throws<PtxFault>(() => PtxLaunch.Run(program, grid, Arguments(1001))).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Arguments(0).Add(1));
        Assert.Throws<ArgumentException>(() => new PtxArguments(program).Add(1));
    }

    /// <summary>%r1 becomes the lane, %rd2 the address of the thread's element, %r2 the element.</summary>
    private const string Mine = """
        mov.b32 %r1, %laneid;
        mov.b32 %r2, %tid.x;
        mul.wide.u32 %rd2, %r2, 4;
        add.u64 %rd2, %rd1, %rd2;
        ld.global.b32 %r2, [%rd2];

        """;

    private static string Exchange(string barrier) => Mine + $"""
        mov.b64 %rd3, SHARED;
        mov.b32 %r5, %tid.x;
        mul.wide.u32 %rd4, %r5, 4;
        add.u64 %rd4, %rd3, %rd4;
        st.shared.b32 [%rd4], %r2;
        {barrier}
        sub.s32 %r5, 63, %r5;
        mul.wide.u32 %rd4, %r5, 4;
        add.u64 %rd4, %rd3, %rd4;
        ld.shared.b32 %r2, [%rd4];
        st.global.b32 [%rd2], %r2;
        """;

    /// <summary>Runs instructions on an array whose address is in %rd1, and returns the array.</summary>
    private static uint[] Run(string body, uint[] data, int groups = 1, int threads = 32, bool contract = false)
    {
        var ptx = $$"""
            .version 8.0
            .target sm_80
            .visible .entry Test(
                .param .u64 _data,
                .param .u64 _length
            )
            .maxntid 64, 1, 1
            {
                .shared .align 4 .b8 SHARED[256];
                .reg .pred %p<4>;
                .reg .b32 %r<16>;
                .reg .b64 %rd<8>;
                .reg .f32 %f<8>;
                .reg .f64 %fd<4>;
                ld.param.b64 %rd1, [_data];
            {{body.Replace(";", ";\n", StringComparison.Ordinal).Replace("L:", "\nL:\n", StringComparison.Ordinal)}}
                ret;
            }
            """;
        var program = PtxProgram.Parse(ptx, contract);
        var result = (uint[])data.Clone();
        // Twice the alignment that the widest access needs.
        var memory = GC.AllocateArray<uint>(data.Length + 8, pinned: true);
        fixed (uint* start = memory)
        {
            var aligned = (uint*)(((long)start + 31) / 32 * 32);
            data.CopyTo(new Span<uint>(aligned, data.Length));
            var bytes = data.Length * sizeof(uint);
            var arguments = new PtxArguments(program).AddPointer((nint)aligned, bytes).Add((long)data.Length);
            PtxLaunch.Run(program, new((groups, 1, 1), (threads, 1, 1)), arguments);
            new Span<uint>(aligned, data.Length).CopyTo(result);
        }

        return result;
    }
}
