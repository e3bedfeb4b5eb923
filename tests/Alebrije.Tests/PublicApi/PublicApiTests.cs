using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Alebrije.Tests.PublicApi;

/// <summary>The public API of the libraries as approved text: a change is a diff of the file beside this one.</summary>
public sealed class PublicApiTests
{
    private const string Accept = "ALEBRIJE_ACCEPT";
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext Nullability = new();

    [Theory]
    [InlineData("Alebrije")]
    [InlineData("Alebrije.Preprocessing")]
    [InlineData("Alebrije.Extensions.AI")]
    public void Surface_IsTheApprovedOne(string assembly)
    {
        var actual = Describe(Assembly.Load(assembly));
        var file = Path.Combine(Repository.Root, "tests", "Alebrije.Tests", "PublicApi", assembly + ".txt");
        if (Environment.GetEnvironmentVariable(Accept) == "1") File.WriteAllText(file, actual);
        var approved = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "";
        if (approved == actual) return;
        var (before, after) = (approved.Split('\n'), actual.Split('\n'));
        Assert.Fail(
            $"The public surface of {assembly} is not the approved one. "
                + $"If the change is meant, run the tests once with {Accept}=1 and commit {Path.GetFileName(file)}.\n"
            + string.Join('\n', before.Except(after).Select(line => "- " + line).Concat(after.Except(before).Select(line => "+ " + line))));
    }

    private static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(type.Namespace).Append('.').Append(NameOf(type));
            var bases = Bases(type).ToArray();
            if (bases.Length > 0) text.Append(" : ").AppendJoin(", ", bases);
            text.Append('\n');
            foreach (var member in Members(type).Order(StringComparer.Ordinal)) text.Append("    ").Append(member).Append('\n');
        }

        return text.ToString();
    }

    private static string Kind(Type type)
    {
        if (type.IsEnum) return "enum";
        if (type.IsInterface) return "interface";
        if (type.IsSubclassOf(typeof(Delegate))) return "delegate";
        var record = type.GetMethod("PrintMembers", Declared) is not null ? "record " : "";
        if (type.IsValueType) return record + "struct";
        return (type.IsAbstract && type.IsSealed ? "static " : type.IsSealed ? "sealed " : type.IsAbstract ? "abstract " : "")
            + record + "class";
    }

    private static IEnumerable<string> Bases(Type type)
    {
        if (type.IsEnum || type.IsSubclassOf(typeof(Delegate))) yield break;
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType)) yield return NameOf(parent);
        foreach (var contract in type.GetInterfaces().Where(i => i.IsVisible && !i.Name.StartsWith("IEquatable", StringComparison.Ordinal))
            .Select(NameOf).Order(StringComparer.Ordinal))
            yield return contract;
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            foreach (var name in Enum.GetNames(type))
                yield return $"{name} = {Convert.ToInt64(Enum.Parse(type, name), System.Globalization.CultureInfo.InvariantCulture)}";
            yield break;
        }

        foreach (var field in type.GetFields(Declared).Where(f => f.IsPublic || f.IsFamily))
            yield return $"{(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}"
                + $"{NameOf(Nullability.Create(field), field.FieldType)} {field.Name}";
        foreach (var property in type.GetProperties(Declared)
            .Where(p => p.GetAccessors(nonPublic: true).Any(IsVisible) && p.Name != "EqualityContract"))
        {
            var set = property.SetMethod is { } setter && IsVisible(setter)
                ? setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? " init;" : " set;" : "";
            var required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
            yield return $"{Static(property.GetAccessors(nonPublic: true)[0])}{required}"
                + $"{NameOf(Nullability.Create(property), property.PropertyType)} {property.Name} {{ get;{set} }}";
        }

        foreach (var method in type.GetMethods(Declared)
            .Where(m => IsVisible(m) && !IsMade(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal))))
            yield return $"{Static(method)}{NameOf(Nullability.Create(method.ReturnParameter), method.ReturnType)} "
                + $"{NameOf(method)}({Parameters(method)})";
        foreach (var constructor in type.GetConstructors(Declared & ~BindingFlags.Static).Where(c => IsVisible(c) && !IsMade(c)))
            yield return $"new({Parameters(constructor)})";
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily;

    /// <summary>True for members generated by the compiler, as most of a record's.</summary>
    private static bool IsMade(MethodBase method) => method.IsDefined(typeof(CompilerGeneratedAttribute)) || method.Name is "Finalize";

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        NameOf(Nullability.Create(p), p.ParameterType) + " " + p.Name + (p.HasDefaultValue ? " = " + (p.RawDefaultValue is null
            ? "default" : Convert.ToString(p.RawDefaultValue, System.Globalization.CultureInfo.InvariantCulture)) : "")));

    private static string NameOf(MethodInfo method) =>
        method.IsGenericMethod ? $"{method.Name}<{string.Join(", ", method.GetGenericArguments().Select(NameOf))}>" : method.Name;

    private static string NameOf(NullabilityInfo info, Type type) =>
        NameOf(type) + (!type.IsValueType && info.ReadState == NullabilityState.Nullable ? "?" : "");

    private static string NameOf(Type type)
    {
        if (type.IsByRef) return "ref " + NameOf(type.GetElementType()!);
        if (type.IsArray) return NameOf(type.GetElementType()!) + "[" + new string(',', type.GetArrayRank() - 1) + "]";
        if (Nullable.GetUnderlyingType(type) is { } value) return NameOf(value) + "?";
        var name = type.IsNested && !type.IsGenericParameter ? NameOf(type.DeclaringType!) + "." + type.Name : type.Name;
        if (!type.IsGenericType) return name;
        return name.Split('`')[0] + "<" + string.Join(", ", type.GetGenericArguments().Select(NameOf)) + ">";
    }
}
