using System.Reflection;
using System.Reflection.Emit;
using MonoLoss.Kernels.Cpu;
using MonoLoss.Kernels.Ilgpu;
using MonoLoss.Tests.Packaging;

namespace MonoLoss.Tests.Kernels;

/// <summary>The devices share the types of MonoLoss.Kernels and do not use each other.</summary>
public sealed class DeviceIndependenceTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> OpCodesByValue =
        typeof(OpCodes).GetFields().Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    [Theory]
    [InlineData(typeof(IlgpuDevice), typeof(CpuDevice))]
    [InlineData(typeof(CpuDevice), typeof(IlgpuDevice))]
    public void Device_uses_no_type_of_the_other_device(Type device, Type other)
    {
        var types = device.Assembly.GetTypes().Where(type => IsIn(type, device)).ToArray();
        Assert.Contains(types, type => UsedBy(type).Any(used => IsIn(used, device)));
        Assert.Empty(types.SelectMany(type =>
            UsedBy(type).Where(used => IsIn(used, other)).Select(used => $"{type} uses {used}")).Distinct());
    }

    /// <summary>Constants leave no trace in compiled code.</summary>
    [Theory]
    [InlineData("Ilgpu", "Cpu")]
    [InlineData("Cpu", "Ilgpu")]
    public void Source_of_a_device_does_not_name_the_other_device(string device, string other)
    {
        Assert.SkipWhen(SourceTree.Root is null, "needs the source tree");
        var folder = Path.Combine(SourceTree.Root!, "src", "Kernels", device) + Path.DirectorySeparatorChar;
        var files = SourceTree.CodeFiles().Where(file => file.StartsWith(folder, StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(files);
        Assert.DoesNotContain(files, file => File.ReadAllText(file).Contains($"Kernels.{other}", StringComparison.Ordinal));
    }

    private static bool IsIn(Type type, Type device) =>
        type.Namespace is { } name && (name == device.Namespace || name.StartsWith(device.Namespace + ".", StringComparison.Ordinal));

    /// <summary>The types in the declaration of a type, in its members' signatures and in its methods' code.</summary>
    private static IEnumerable<Type> UsedBy(Type type)
    {
        var methods = type.GetMembers(Declared).OfType<MethodBase>().ToArray();
        var used = type.GetInterfaces()
            .Append(type.BaseType)
            .Concat(type.GetFields(Declared).Select(field => field.FieldType))
            .Concat(methods.SelectMany(method => method.GetParameters()).Select(parameter => parameter.ParameterType))
            .Concat(methods.OfType<MethodInfo>().Select(method => method.ReturnType))
            .Concat(methods.SelectMany(InCode));
        return used.OfType<Type>().SelectMany(Parts);
    }

    private static IEnumerable<Type?> InCode(MethodBase method)
    {
        if (method.GetMethodBody() is not { } body || body.GetILAsByteArray() is not { } code)
        {
            yield break;
        }

        foreach (var local in body.LocalVariables)
        {
            yield return local.LocalType;
        }

        for (var at = 0; at < code.Length;)
        {
            var isLong = code[at] == 0xFE;
            var opCode = OpCodesByValue[isLong ? (short)(0xFE00 | code[at + 1]) : code[at]];
            at += isLong ? 2 : 1;
            if (opCode.OperandType
                is OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType)
            {
                var typeArguments = method.DeclaringType!.GetGenericArguments();
                var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
                var member = method.Module.ResolveMember(BitConverter.ToInt32(code, at), typeArguments, methodArguments);
                yield return member as Type ?? member?.DeclaringType;
                foreach (var argument in member is MethodInfo { IsGenericMethod: true } generic ? generic.GetGenericArguments() : [])
                {
                    yield return argument;
                }
            }

            at += opCode.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
                _ => 4,
            };
        }
    }

    private static IEnumerable<Type> Parts(Type type) =>
        type.HasElementType ? Parts(type.GetElementType()!) : type.GetGenericArguments().SelectMany(Parts).Append(type);
}
