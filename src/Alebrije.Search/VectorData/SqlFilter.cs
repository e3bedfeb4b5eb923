using System.Collections;
using System.Globalization;
using System.Linq.Expressions;
using Microsoft.Extensions.VectorData.ProviderServices;
using Microsoft.Extensions.VectorData.ProviderServices.Filter;

namespace Alebrije.Search.VectorData;

/// <summary>
/// A filter of records as an SQL condition with C#'s meaning of null: comparisons with null by IS, and a negation is true where its
/// operand is not true.
/// </summary>
internal sealed class SqlFilter : FilterTranslatorBase
{
    private readonly SqlDialect dialect;
    private readonly List<object?> parameters;

    private SqlFilter(SqlDialect dialect, List<object?> parameters) => (this.dialect, this.parameters) = (dialect, parameters);

    /// <summary>Translates a filter.</summary>
    /// <param name="filter">The filter, or null.</param>
    /// <param name="model">Properties of the records.</param>
    /// <param name="dialect">The database.</param>
    /// <param name="parameters">Values of the parameters <c>@p0</c>, <c>@p1</c>, ...; the filter's are added.</param>
    /// <returns>A condition; TRUE without a filter.</returns>
    /// <exception cref="NotSupportedException">The filter has a part without a translation.</exception>
    public static string Translate(LambdaExpression? filter, CollectionModel model, SqlDialect dialect, List<object?> parameters)
    {
        if (filter is null) return "TRUE";
        var translator = new SqlFilter(dialect, parameters);
        return translator.Condition(
            translator.PreprocessFilter(filter, model, new FilterPreprocessingOptions { SupportsParameterization = false }));
    }

    private string Condition(Expression expression) => expression switch
    {
        BinaryExpression { NodeType: ExpressionType.AndAlso } and => $"({Condition(and.Left)} AND {Condition(and.Right)})",
        BinaryExpression { NodeType: ExpressionType.OrElse } or => $"({Condition(or.Left)} OR {Condition(or.Right)})",
        UnaryExpression { NodeType: ExpressionType.Not } not => $"(NOT COALESCE({Condition(not.Operand)}, FALSE))",
        UnaryExpression { NodeType: ExpressionType.Convert } convert => Condition(convert.Operand),
        BinaryExpression binary => Comparison(binary),
        ConstantExpression { Value: bool value } => value ? "TRUE" : "FALSE",
        MethodCallExpression call => Call(call),
        _ when TryBindProperty(expression, out var property) => $"({Column(property)} = TRUE)",
        _ => throw Unsupported(expression),
    };

    private string Comparison(BinaryExpression binary)
    {
        var (left, right, operation) = (binary.Left, binary.Right, binary.NodeType);
        if (!IsProperty(left) && IsProperty(right)) (left, right, operation) = (right, left, Mirrored(operation));
        if (!TryBindProperty(Unwrapped(left), out var property)) throw Unsupported(binary);
        var column = Column(property);
        if (TryBindProperty(Unwrapped(right), out var other))
        {
            return operation switch
            {
                ExpressionType.Equal => $"({column} IS NOT DISTINCT FROM {Column(other)})",
                ExpressionType.NotEqual => $"({column} IS DISTINCT FROM {Column(other)})",
                _ => $"({column} {Operator(operation, binary)} {Column(other)})",
            };
        }

        var value = Value(right);
        return (operation, value) switch
        {
            (ExpressionType.Equal, null) => $"({column} IS NULL)",
            (ExpressionType.NotEqual, null) => $"({column} IS NOT NULL)",
            (ExpressionType.NotEqual, _) => $"({column} IS DISTINCT FROM {Parameter(value, property)})",
            _ => $"({column} {Operator(operation, binary)} {Parameter(value, property)})",
        };
    }

    private string Call(MethodCallExpression call)
    {
        if (call.Object is { } text && text.Type == typeof(string) && call.Arguments is [var argument] && argument.Type == typeof(string)
            && TryBindProperty(Unwrapped(text), out var property))
        {
            var (column, part) = (Column(property), Parameter(Value(argument), property));
            switch (call.Method.Name)
            {
                case nameof(string.StartsWith): return $"(substr({column}, 1, length({part})) = {part})";
                case nameof(string.EndsWith): return $"(length({column}) >= length({part}) "
                    + $"AND substr({column}, length({column}) - length({part}) + 1) = {part})";
                case nameof(string.Contains): return $"({dialect.PositionOf(column, part)} > 0)";
                case nameof(string.Equals): return $"({column} = {part})";
            }
        }

        if (!TryMatchContains(call, out var source, out var item)) throw Unsupported(call);
        if (TryBindProperty(Unwrapped(source), out var list)) return dialect.ListContains(Column(list), Parameter(Value(item), null));
        if (!TryBindProperty(Unwrapped(item), out var sought) || Value(source) is not IEnumerable values) throw Unsupported(call);
        var all = values.Cast<object?>().ToArray();
        var listed = string.Join(", ", all.Where(value => value is not null).Select(value => Parameter(value, sought)));
        var isNull = all.Contains(null) ? $"{Column(sought)} IS NULL" : "FALSE";
        return listed.Length == 0 ? $"({isNull})" : $"(({Column(sought)} IS NOT NULL AND {Column(sought)} IN ({listed})) OR {isNull})";
    }

    private bool IsProperty(Expression expression) => TryBindProperty(Unwrapped(expression), out _);

    /// <summary>Adds a parameter in the type of the property that it is compared with.</summary>
    private string Parameter(object? value, PropertyModel? property)
    {
        var type = property is null ? null : Nullable.GetUnderlyingType(property.Type) ?? property.Type;
        if (type is not null && value is not null && value.GetType() != type && value is IConvertible && type.IsPrimitive
            && !(value is double or float && (type == typeof(int) || type == typeof(long))))
            value = Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
        parameters.Add(dialect.ToDatabase(value));
        return string.Create(CultureInfo.InvariantCulture, $"@p{parameters.Count - 1}");
    }

    private static string Column(PropertyModel property) => property is VectorPropertyModel
        ? throw new NotSupportedException($"A filter cannot compare the vector {property.ModelName}.")
        : SqlDialect.Quote(property.StorageName);

    private static object? Value(Expression expression) => Unwrapped(expression) switch
    {
        ConstantExpression constant => constant.Value,
        QueryParameterExpression parameter => parameter.Value,
        NewArrayExpression array => array.Expressions.Select(Value).ToArray(),
        MethodCallExpression { Method.Name: "op_Implicit", Arguments: [var inner] } => Value(inner),
        var other when !RecordFinder.IsIn(other) => Expression.Lambda(other).Compile(preferInterpretation: true).DynamicInvoke(),
        var other => throw Unsupported(other),
    };

    private static Expression Unwrapped(Expression expression) =>
        expression is UnaryExpression { NodeType: ExpressionType.Convert, Operand: var operand } ? Unwrapped(operand) : expression;

    private static ExpressionType Mirrored(ExpressionType operation) => operation switch
    {
        ExpressionType.LessThan => ExpressionType.GreaterThan,
        ExpressionType.LessThanOrEqual => ExpressionType.GreaterThanOrEqual,
        ExpressionType.GreaterThan => ExpressionType.LessThan,
        ExpressionType.GreaterThanOrEqual => ExpressionType.LessThanOrEqual,
        _ => operation,
    };

    private static string Operator(ExpressionType operation, Expression expression) => operation switch
    {
        ExpressionType.Equal => "=",
        ExpressionType.LessThan => "<",
        ExpressionType.LessThanOrEqual => "<=",
        ExpressionType.GreaterThan => ">",
        ExpressionType.GreaterThanOrEqual => ">=",
        _ => throw Unsupported(expression),
    };

    private static NotSupportedException Unsupported(Expression expression) => new(
        $"The filter's part '{expression}' cannot be translated; comparisons of properties with values, "
        + "&&, ||, !, Contains, StartsWith and EndsWith can.");

    /// <summary>Looks for the record in an expression; one without it is a value.</summary>
    private sealed class RecordFinder : ExpressionVisitor
    {
        private bool isFound;

        public static bool IsIn(Expression expression)
        {
            var finder = new RecordFinder();
            finder.Visit(expression);
            return finder.isFound;
        }

        protected override Expression VisitParameter(ParameterExpression node)
        {
            isFound = true;
            return node;
        }
    }
}
